import CKernels

/// A matrix of floating-point numbers of 8 bits (E4M3) with a factor for each square of 128 rows and columns: `w = number * factor`
/// (DeepSeek-AI 2024, "DeepSeek-V3", section 3.3.2).
public struct SquareScaledMatrix: BlockMatrix {
  public let shape: Shape
  public var format: ElementFormat { .float8Squares }
  public var isMapped: Bool { !codes.storage.isWritable }
  public var byteCount: Int { codes.elementCount + 4 * factors.elementCount }
  /// uint8, a number an element.
  package let codes: Tensor
  /// float32, `[rows / 128, columns / 128]`, rounded up.
  package let factors: Tensor
  /// The rows and columns of a square.
  package static let side = 128

  /// The shape of the factors of a matrix.
  package static func factorShape(of shape: [Int]) -> [Int] { shape.map { ($0 + side - 1) / side } }

  /// - Precondition: a code an element, and a factor a square.
  package init(_ codes: Tensor, factors: Tensor, shape: Shape) {
    precondition(codes.dtype == .uint8 && codes.elementCount == shape.elementCount && shape.rank == 2, "\(codes.shape) for \(shape)")
    precondition(factors.dtype == .float32 && factors.shape.dimensions == Self.factorShape(of: shape.dimensions), "\(factors.shape) for \(shape)")
    (self.codes, self.factors, self.shape) = (codes, factors, shape)
  }

  public func decode(row: Int, columns: Range<Int>, into elements: inout MutableSpan<Float>) {
    let from = codes.rawPointer.assumingMemoryBound(to: UInt8.self) + row * shape[1]
    let factors = factors.pointer + row / Self.side * self.factors.shape[1]
    elements.withUnsafeMutableBufferPointer { out in
      guard let out = out.baseAddress else { return }
      Float8.numbers.withUnsafeBufferPointer { numbers in
        graft_decode_table(out, from + columns.lowerBound, numbers.baseAddress, factors, Self.side, columns.lowerBound, columns.count)
      }
    }
  }
}

extension SquareScaledMatrix {
  /// The matrix nearest to the elements: a square's largest magnitude becomes the largest number.
  ///
  /// - Parameter matrix: `[rows, columns]`, in any floating-point format.
  /// - Throws: `NonFiniteWeightError` where elements are not finite.
  package init(encoding matrix: Tensor) throws(NonFiniteWeightError) {
    let (rows, columns) = (matrix.shape[0], matrix.shape[1])
    let codes = Tensor(uninitialized: [matrix.elementCount], dtype: .uint8)
    let factors = Tensor(uninitialized: Shape(Self.factorShape(of: [rows, columns])))
    let (bytes, scales) = (codes.rawPointer.assumingMemoryBound(to: UInt8.self), factors.mutablePointer)
    let across = factors.shape[1]
    matrix.readInPieces(of: Self.side * columns) { piece, elements in
      for start in stride(from: 0, to: piece.count, by: max(1, Self.side * columns)) {
        let band = (piece.lowerBound + start) / (Self.side * columns)
        let height = min(Self.side, rows - band * Self.side)
        for square in 0..<across {
          let first = square * Self.side
          let width = min(Self.side, columns - first)
          let parts = (0..<height).map { UnsafeBufferPointer(start: elements + start + $0 * columns + first, count: width) }
          scales[band * across + square] = Self.encode(parts, to: bytes + band * Self.side * columns + first, stride: columns)
        }
      }
    }
    guard factors.firstNonFiniteIndex == nil else { throw NonFiniteWeightError(format: .float8Squares) }
    self.init(codes, factors: factors, shape: matrix.shape)
  }

  /// Writes the codes of a square.
  /// - Returns: the factor; no number where some element is none.
  private static func encode(_ rows: [UnsafeBufferPointer<Float>], to codes: UnsafeMutablePointer<UInt8>, stride: Int) -> Float {
    let magnitudes = rows.compactMap(\.largestMagnitude)
    guard magnitudes.count == rows.count else { return .nan }
    // As Transformers computes it: multiplied by a scale, of which the inverse is stored; torch divides a number by multiplying with a reciprocal.
    let ratio = 1 / (magnitudes.max() ?? 0) * Float8.largest
    let scale = ratio.isFinite ? ratio : 1
    for (number, row) in rows.enumerated() {
      for column in row.indices { codes[number * stride + column] = Float8.code(nearestTo: row[column] * scale) }
    }
    return 1 / scale
  }
}

/// E4M3 without infinities: a sign, four bits of exponent and three of fraction; the largest pattern is no number
/// (Micikevicius et al. 2022, "FP8 Formats for Deep Learning", section 3).
package enum Float8 {
  /// The largest number.
  package static let largest: Float = 448

  /// The numbers by their patterns.
  package static let numbers: [Float] = (0..<256).map { pattern in
    let exponent = pattern >> 3 & 15
    let fraction = Float(pattern & 7)
    if pattern & 127 == 127 { return .nan }
    let magnitude = exponent == 0 ? fraction / 512 : Float(sign: .plus, exponent: exponent - 7, significand: 1 + fraction / 8)
    return pattern < 128 ? magnitude : -magnitude
  }

  /// The pattern of the number nearest to x, ties to even; the largest where x is beyond it.
  package static func code(nearestTo x: Float) -> UInt8 {
    let sign: UInt8 = x.sign == .minus ? 128 : 0
    let magnitude = min(x.magnitude, largest)
    // Below 2^-6 numbers are 2^-9 apart.
    guard magnitude >= 0x1p-6 else { return sign | UInt8((magnitude * 512).rounded(.toNearestOrEven)) }
    let bits = magnitude.bitPattern
    let rounded = bits + 0x7ffff + (bits >> 20 & 1)
    return sign | UInt8((rounded >> 20) - (120 << 3))
  }
}
