import Foundation
import GraftLayers
import GraftTensors

/// A part of a matrix as a product `b a`, with `a [r, in]` and `b [out, r]`.
struct LowRankPart {
  var a: Tensor, b: Tensor

  /// The best of its rank: the leading singular triplets, whose values are split evenly (Meng et al. 2024, "PiSSA", section 3).
  ///
  /// Found by subspace iteration (Golub and Van Loan 2013, section 8.2.4) with a few vectors more than asked for.
  static func principal(of weight: Tensor, rank: Int, iterations: Int, _ stream: RandomStream) -> LowRankPart {
    let count = min(rank + 8, weight.shape[0], weight.shape[1])
    var right = stream.normal([count, weight.shape[1]])
    var left = right
    for _ in 0..<max(1, iterations) {
      left = orthonormalRows(matrixProduct(right, weight, transposingSecond: true))
      right = orthonormalRows(matrixProduct(left, weight))
    }
    left = orthonormalRows(matrixProduct(right, weight, transposingSecond: true))
    let seen = matrixProduct(left, weight)
    let (values, vectors) = eigenpairs(of: matrixProduct(seen, seen, transposingSecond: true))
    let kept = min(rank, count)
    // Singular values are the roots of these; each factor gets the root of that.
    let roots = values.prefix(kept).map { Float(pow(max($0, 1e-30), 0.25)) }
    let turn = vectors.rows(0..<kept)
    let a = scaleColumns(matrixProduct(turn, seen).transposed, by: Tensor(roots.map { 1 / $0 })).transposed
    let b = scaleColumns(matrixProduct(turn, left).transposed, by: Tensor(roots))
    return LowRankPart(a: a, b: b)
  }

  /// The first columns' orthonormal basis and the matrix seen in it (Büyükakyüz 2024, "OLoRA", section 3).
  static func orthonormal(of weight: Tensor, rank: Int) -> LowRankPart {
    let basis = orthonormalRows(weight.transposed.rows(0..<min(rank, weight.shape[1])))
    return LowRankPart(a: matrixProduct(basis, weight), b: basis.transposed)
  }
}

extension LowRankPart {
  /// The part of the smallest singular values, from the eigenvectors of the matrix times its transpose, in double precision since squares
  /// of small values would be lost beside those of large ones.
  static func minor(of weight: Tensor, rank: Int) -> LowRankPart {
    let isTall = weight.shape[0] > weight.shape[1]
    let rows = isTall ? weight.transposed : weight
    let (count, length, values) = (rows.shape[0], rows.shape[1], rows.values.map(Double.init))
    var gram = [[Double]](repeating: [Double](repeating: 0, count: count), count: count)
    for row in 0..<count {
      for column in 0...row {
        var product = 0.0
        for k in 0..<length { product += values[row * length + k] * values[column * length + k] }
        (gram[row][column], gram[column][row]) = (product, product)
      }
    }
    let smallest = SymmetricEigenvectors(of: gram).vectors.suffix(rank)
    let vectors = Tensor(smallest.flatMap { $0.map { Float($0) } }, [rank, count])
    return isTall
      ? LowRankPart(a: vectors, b: matrixProduct(weight, vectors, transposingSecond: true))
      : LowRankPart(a: matrixProduct(vectors, weight), b: vectors.transposed)
  }

  /// The best approximation of lower rank: `b` holds the leading left singular vectors times their values, `a` the right ones.
  ///
  /// With `L Lᵀ = bᵀ b`, the product's right singular vectors are those of the small `Lᵀ a`.
  func truncated(to rank: Int) -> LowRankPart {
    let (inner, turn) = eigenpairs(of: matrixProduct(b.transposed, b.transposed, transposingSecond: true))
    let roots = Tensor(inner.map { Float(max($0, 0).squareRoot()) })
    let seen = matrixProduct(scaleColumns(turn.transposed, by: roots).transposed, a)
    let (squares, vectors) = eigenpairs(of: matrixProduct(seen, seen, transposingSecond: true))
    // Beyond the product's own rank there is nothing to keep.
    let kept = squares.prefix(rank).map { $0 > 1e-12 * (squares.first ?? 0) ? Float(1 / $0.squareRoot()) : 0 }
    let right = scaleColumns(matrixProduct(vectors.rows(0..<kept.count), seen).transposed, by: Tensor(kept)).transposed
    return LowRankPart(a: right, b: matrixProduct(b, matrixProduct(a, right, transposingSecond: true))).padded(to: rank)
  }

  /// The same product with zero rows and columns up to a rank.
  func padded(to rank: Int) -> LowRankPart {
    let missing = rank - a.shape[0]
    guard missing > 0 else { return self }
    return LowRankPart(
      a: concatenateRows([a, .zeros([missing, a.shape[1]])]), b: concatenateRows([b.transposed, .zeros([missing, b.shape[0]])]).transposed)
  }
}

/// The rows turned into an orthonormal basis, by Cholesky's factors of their products, thrice for precision
/// (Fukaya et al. 2020, "Shifted Cholesky QR").
func orthonormalRows(_ rows: Tensor) -> Tensor {
  (0..<3).reduce(rows) { rows, round in
    let count = rows.shape[0]
    var gram = matrixProduct(rows, rows, transposingSecond: true).values.map(Double.init)
    let trace = (0..<count).reduce(0) { $0 + gram[$1 * count + $1] }
    for index in 0..<count where round == 0 { gram[index * count + index] += 1e-7 * trace + 1e-30 }
    return matrixProduct(Tensor(inverseCholesky(of: gram, count: count).map(Float.init), [count, count]), rows)
  }
}

/// `L⁻¹` for `L Lᵀ` equal to a symmetric positive matrix.
private func inverseCholesky(of matrix: [Double], count: Int) -> [Double] {
  var lower = [Double](repeating: 0, count: count * count)
  var inverse = lower
  for row in 0..<count {
    for column in 0...row {
      var value = matrix[row * count + column]
      for k in 0..<column { value -= lower[row * count + k] * lower[column * count + k] }
      lower[row * count + column] = row == column ? max(value, 1e-30).squareRoot() : value / lower[column * count + column]
    }
    for column in 0...row {
      var value: Double = row == column ? 1 : 0
      for k in column..<max(column, row) { value -= lower[row * count + k] * inverse[k * count + column] }
      inverse[row * count + column] = value / lower[row * count + row]
    }
  }
  return inverse
}

/// Eigenvalues of a symmetric matrix, largest first, with the eigenvectors as rows: Jacobi's rotations.
private func eigenpairs(of symmetric: Tensor) -> (values: [Double], vectors: Tensor) {
  let count = symmetric.shape[0]
  var a = symmetric.values.map(Double.init)
  var v = [Double](repeating: 0, count: count * count)
  for index in 0..<count { v[index * count + index] = 1 }
  for _ in 0..<30 {
    for p in 0..<count {
      for q in p + 1..<max(count, p + 1) where abs(a[p * count + q]) > 1e-15 * (abs(a[p * count + p]) + abs(a[q * count + q])) {
        let theta = (a[q * count + q] - a[p * count + p]) / (2 * a[p * count + q])
        let tangent = (theta < 0 ? -1 : 1) / (abs(theta) + (theta * theta + 1).squareRoot())
        let cosine = 1 / (tangent * tangent + 1).squareRoot()
        let sine = tangent * cosine
        for k in 0..<count {
          let (kp, kq) = (a[k * count + p], a[k * count + q])
          (a[k * count + p], a[k * count + q]) = (cosine * kp - sine * kq, sine * kp + cosine * kq)
        }
        for k in 0..<count {
          let (pk, qk) = (a[p * count + k], a[q * count + k])
          (a[p * count + k], a[q * count + k]) = (cosine * pk - sine * qk, sine * pk + cosine * qk)
          let (vp, vq) = (v[p * count + k], v[q * count + k])
          (v[p * count + k], v[q * count + k]) = (cosine * vp - sine * vq, sine * vp + cosine * vq)
        }
      }
    }
  }
  let order = (0..<count).sorted { a[$0 * count + $0] > a[$1 * count + $1] }
  let rows = order.flatMap { index in (0..<count).map { Float(v[index * count + $0]) } }
  return (order.map { a[$0 * count + $0] }, Tensor(rows, [count, count]))
}
