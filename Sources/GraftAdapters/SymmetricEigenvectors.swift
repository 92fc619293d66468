/// All eigenvectors of a symmetric matrix, in double precision, those of the largest eigenvalues first: to tridiagonal form by
/// Householder's reflections, then to diagonal form by rotations with implicit shifts (Golub and Van Loan 2013, sections 8.3.1 and 8.3.4).
struct SymmetricEigenvectors {
  /// Largest first.
  let values: [Double]
  /// One a row, of length 1.
  let vectors: [[Double]]

  /// - Parameter rows: the matrix.
  init(of rows: [[Double]]) {
    let count = rows.count
    var form = Tridiagonal(rows)
    form.diagonalize()
    let order = (0..<count).sorted { form.diagonal[$0] > form.diagonal[$1] }
    values = order.map { form.diagonal[$0] }
    vectors = order.map { form.vectors[$0] }
  }
}

/// `Q T Qᵀ` with a tridiagonal `T`, whose rotations are gathered in the rows of `Qᵀ`.
private struct Tridiagonal {
  var diagonal: [Double], beside: [Double]
  var vectors: [[Double]]

  init(_ rows: [[Double]]) {
    let count = rows.count
    var a = rows
    // Rows of Qᵀ, which begins as the identity.
    vectors = (0..<count).map { row in (0..<count).map { $0 == row ? 1 : 0 } }
    for step in 0..<max(0, count - 2) {
      let below = step + 1
      let length = (below..<count).reduce(0) { $0 + a[$1][step] * a[$1][step] }.squareRoot()
      guard length > 0 else { continue }
      var axis = [Double](repeating: 0, count: count)
      for row in below..<count { axis[row] = a[row][step] }
      axis[below] += axis[below] < 0 ? -length : length
      let squared = axis.reduce(0) { $0 + $1 * $1 }
      // H = I - 2 v vᵀ / vᵀv on both sides: A - v wᵀ - w vᵀ.
      let image = (0..<count).map { 2 / squared * product(a[$0], axis) }
      let share = product(image, axis) / squared
      let other = zip(image, axis).map { $0 - share * $1 }
      for row in 0..<count {
        let (v, w) = (axis[row], other[row])
        for column in 0..<count { a[row][column] -= v * other[column] + w * axis[column] }
      }
      var along = [Double](repeating: 0, count: count)
      for row in below..<count {
        for column in 0..<count { along[column] += axis[row] * vectors[row][column] }
      }
      for row in below..<count {
        let factor = 2 / squared * axis[row]
        for column in 0..<count { vectors[row][column] -= factor * along[column] }
      }
    }
    diagonal = (0..<count).map { a[$0][$0] }
    beside = (0..<count).map { $0 + 1 < count ? a[$0 + 1][$0] : 0 }
  }

  /// Rotates until nothing is left beside the diagonal.
  mutating func diagonalize() {
    var last = diagonal.count - 1
    while last > 0 {
      var first = last
      while first > 0, abs(beside[first - 1]) > 1e-16 * (abs(diagonal[first - 1]) + abs(diagonal[first])) { first -= 1 }
      if first == last {
        last -= 1
      } else {
        sweep(first, last)
      }
    }
  }

  /// One step of the implicit QR algorithm with Wilkinson's shift on a part without zeros beside the diagonal.
  private mutating func sweep(_ first: Int, _ last: Int) {
    let half = (diagonal[last - 1] - diagonal[last]) / 2
    let next = beside[last - 1]
    let root = (half * half + next * next).squareRoot()
    let shift = diagonal[last] - next * next / (half + (half < 0 ? -root : root))
    var (x, bulge) = (diagonal[first] - shift, beside[first])
    for k in first..<last {
      let length = (x * x + bulge * bulge).squareRoot()
      let (cosine, sine) = length > 0 ? (x / length, bulge / length) : (1, 0)
      if k > first { beside[k - 1] = length }
      let (d, e, f) = (diagonal[k], beside[k], diagonal[k + 1])
      diagonal[k] = cosine * cosine * d + 2 * cosine * sine * e + sine * sine * f
      diagonal[k + 1] = sine * sine * d - 2 * cosine * sine * e + cosine * cosine * f
      beside[k] = (cosine * cosine - sine * sine) * e + cosine * sine * (f - d)
      if k + 1 < last {
        (x, bulge) = (beside[k], sine * beside[k + 1])
        beside[k + 1] *= cosine
      }
      for column in vectors[k].indices {
        let (p, q) = (vectors[k][column], vectors[k + 1][column])
        (vectors[k][column], vectors[k + 1][column]) = (cosine * p + sine * q, cosine * q - sine * p)
      }
    }
  }
}

private func product(_ first: [Double], _ second: [Double]) -> Double {
  var sum = 0.0
  for index in first.indices { sum += first[index] * second[index] }
  return sum
}
