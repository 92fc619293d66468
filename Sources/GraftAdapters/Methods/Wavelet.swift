import Foundation
import GraftLayers
import GraftTensors

/// Daubechies' orthogonal wavelet with a number of vanishing moments.
struct Wavelet {
  /// The synthesis filters of averages and of differences.
  let low: [Double], high: [Double]

  /// - Throws: `TuningError` for other families than `db1` to `db10`.
  init(named name: String) throws(TuningError) {
    guard let moments = name == "haar" ? 1 : name.hasPrefix("db") ? Int(name.dropFirst(2)) : nil, (1...10).contains(moments) else {
      throw TuningError("wavelet_family: is \(name); only db1 to db10 are supported")
    }
    let scaling = Self.scaling(moments: moments)
    low = scaling
    high = scaling.indices.map { ($0 % 2 == 0 ? 1 : -1) * scaling[scaling.count - 1 - $0] }
  }

  /// The elements of the matrix that coefficients are spread over, with their factors.
  func spread(of places: [(row: Int, column: Int)], outputs: Int, inputs: Int) -> SparseSpread {
    let (rows, columns) = (Axis(outputs, self), Axis(inputs, self))
    var spread = SparseSpread(places: [], sources: [], weights: [])
    var at: [Int32] = []
    for (source, place) in places.enumerated() {
      let (row, column) = (rows.position(place.row), columns.position(place.column))
      // The quarters of differences along one axis stand where those along the other usually do.
      let down = rows.patch(row.index, isHigh: column.isHigh)
      let across = columns.patch(column.index, isHigh: row.isHigh)
      for (y, first) in down {
        for (x, second) in across {
          at.append(Int32(y * inputs + x))
          spread.sources?.append(Int32(source))
          spread.weights?.append(Float(first * second))
        }
      }
    }
    return SparseSpread(places: at, sources: spread.sources, weights: spread.weights)
  }

  /// One axis of the matrix and of its coefficients, which are padded by what the filters overlap.
  private struct Axis {
    let size: Int, padded: Int
    let wavelet: Wavelet

    init(_ size: Int, _ wavelet: Wavelet) {
      (self.size, self.wavelet) = (size, wavelet)
      let whole = size + wavelet.low.count - 2
      padded = whole + whole % 2
    }

    /// The place among the coefficients of a half, and whether it is that of differences.
    func position(_ place: Int) -> (index: Int, isHigh: Bool) {
      let shifted = place + (padded - size) / 2
      return (shifted % (padded / 2), shifted >= padded / 2)
    }

    /// The elements that a coefficient reaches, with their factors.
    func patch(_ index: Int, isHigh: Bool) -> [(place: Int, factor: Double)] {
      let filter = isHigh ? wavelet.high : wavelet.low
      let cut = filter.count - 2 + (padded - wavelet.low.count + 2 - size) / 2
      return filter.enumerated().compactMap { offset, factor in
        let place = 2 * index + offset - cut
        return (0..<size).contains(place) ? (place, factor) : nil
      }
    }
  }

  /// Daubechies 1988, section 4: of the polynomial that the moments ask for, the roots within the unit circle.
  private static func scaling(moments: Int) -> [Double] {
    // P(y) = Σ C(N - 1 + k, k) yᵏ, whose roots y belong to z with y = (2 - z - 1 / z) / 4.
    var coefficients: [Double] = [1]
    for k in 1..<max(moments, 1) { coefficients.append(coefficients[k - 1] * Double(moments - 1 + k) / Double(k)) }
    var filter = [Complex(1)]
    for _ in 0..<moments { filter = Complex.product(filter, [Complex(1), Complex(1)]) }
    for y in Complex.roots(of: coefficients) {
      let half = Complex(1) - y * Complex(2)
      let root = (half * half - Complex(1)).squareRoot
      let z = (half + root).length < 1 ? half + root : half - root
      filter = Complex.product(filter, [Complex(1), Complex(0) - z])
    }
    let sum = filter.reduce(0) { $0 + $1.real }
    return filter.map { $0.real * 2.0.squareRoot() / sum }
  }
}

/// A complex number, for the roots of polynomials.
private struct Complex {
  var real: Double, imaginary: Double

  init(_ real: Double, _ imaginary: Double = 0) { (self.real, self.imaginary) = (real, imaginary) }

  var length: Double { (real * real + imaginary * imaginary).squareRoot() }

  /// The root on the right half of the plane.
  var squareRoot: Complex {
    let root = ((length + real) / 2).squareRoot()
    let other = max(0, (length - real) / 2).squareRoot()
    return Complex(root, imaginary < 0 ? -other : other)
  }

  static func + (a: Complex, b: Complex) -> Complex { Complex(a.real + b.real, a.imaginary + b.imaginary) }
  static func - (a: Complex, b: Complex) -> Complex { Complex(a.real - b.real, a.imaginary - b.imaginary) }
  static func * (a: Complex, b: Complex) -> Complex {
    Complex(a.real * b.real - a.imaginary * b.imaginary, a.real * b.imaginary + a.imaginary * b.real)
  }
  static func / (a: Complex, b: Complex) -> Complex {
    let square = b.real * b.real + b.imaginary * b.imaginary
    let product = a * Complex(b.real, -b.imaginary)
    return Complex(product.real / square, product.imaginary / square)
  }

  /// The coefficients of a product of polynomials.
  static func product(_ a: [Complex], _ b: [Complex]) -> [Complex] {
    var result = [Complex](repeating: Complex(0), count: a.count + b.count - 1)
    for (i, x) in a.enumerated() {
      for (j, y) in b.enumerated() { result[i + j] = result[i + j] + x * y }
    }
    return result
  }

  /// The roots of a polynomial, lowest coefficient first: all at once (Durand 1960, Kerner 1966).
  static func roots(of coefficients: [Double]) -> [Complex] {
    let degree = coefficients.count - 1
    guard degree > 0, let leading = coefficients.last else { return [] }
    func value(at z: Complex) -> Complex { coefficients.reversed().reduce(Complex(0)) { $0 * z + Complex($1 / leading) } }
    var roots = (0..<degree).map { index in Complex(0.4 * cos(Double(index) + 0.5), 0.4 * sin(2.4 * Double(index) + 0.5)) }
    for _ in 0..<500 {
      for index in roots.indices {
        let distances = roots.indices.filter { $0 != index }.reduce(Complex(1)) { $0 * (roots[index] - roots[$1]) }
        roots[index] = roots[index] - value(at: roots[index]) / distances
      }
    }
    return roots
  }
}
