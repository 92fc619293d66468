import GraftLayers
import GraftTensors

/// Orthonormal rows as reflections of the first unit vectors, laid out as PyTorch's `orthogonal` parametrisation of a wide matrix.
///
/// Row `i` of the trained values `[rows, columns]` has a sign in column `i` and, behind it, the rest of Householder's vector, which has a
/// 1 there; what stands before it is not used.
enum OrthonormalRows {
  /// Returns the rows, `[rows, columns]`: `sᵢ H₁ ... Hᵣ eᵢ`.
  static func rows(of values: Tensor) -> Tensor {
    let count = values.shape.rows
    let columns = values.shape.columns
    let unit = Tensor((0..<count * columns).map { $0 % columns == $0 / columns ? 1 : 0 }, [count, columns])
    let behind = Tensor((0..<count * columns).map { $0 % columns > $0 / columns ? 1 : 0 }, [count, columns])
    let vectors = unitRows(values * behind + unit)
    let found = (0..<count).reversed().reduce(unit) { reflected($0, vectors.rows($1..<$1 + 1)) }
    return scaleRows(found, by: Tensor(signs(of: values), [count, 1]))
  }

  /// `x - 2 (x u) uᵀ` for a unit row `u`.
  private static func reflected(_ x: Tensor, _ row: Tensor) -> Tensor {
    linear(linear(x, row), row, layout: .inputByOutput, scale: -2, addingTo: x)
  }

  private static func signs(of values: Tensor) -> [Float] {
    let elements = values.values
    return (0..<values.shape.rows).map { elements[$0 * (values.shape.columns + 1)] < 0 ? -1 : 1 }
  }

  /// Returns the values that stand for rows, which are orthonormalised where they are not: Householder's decomposition.
  /// - Precondition: more columns than rows.
  static func values(spanning rows: Tensor) -> Tensor {
    let count = rows.shape.rows
    let columns = rows.shape.columns
    var left = rows.values.map(Double.init)
    var found = [Float](repeating: 0, count: left.count)
    for pivot in 0..<count {
      let start = pivot * columns
      let tail = pivot..<columns
      let length = tail.reduce(0) { $0 + left[start + $1] * left[start + $1] }.squareRoot()
      let sign: Double = left[start + pivot] > 0 ? -1 : 1
      let first = left[start + pivot] - sign * length
      let vector = tail.map { $0 == pivot || first == 0 ? ($0 == pivot ? 1 : 0) : left[start + $0] / first }
      let scale = 2 / vector.reduce(0) { $0 + $1 * $1 }
      for row in pivot..<count {
        let along = scale * zip(tail, vector).reduce(0) { $0 + left[row * columns + $1.0] * $1.1 }
        for (column, value) in zip(tail, vector) { left[row * columns + column] -= along * value }
      }
      for (column, value) in zip(tail, vector) { found[start + column] = Float(value) }
      found[start + pivot] = left[start + pivot] < 0 ? -1 : 1
    }
    return Tensor(found, rows.shape)
  }
}
