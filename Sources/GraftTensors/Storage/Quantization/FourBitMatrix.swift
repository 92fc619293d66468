import CKernels

/// A matrix of codes of 4 bits with a factor a block, as bitsandbytes stores it: `w = code[q] * factor`.
///
/// Blocks are of consecutive elements, row after row; one may end in the next row. Of the two codes in a byte the first is the upper half.
public struct FourBitMatrix: BlockMatrix {
  public let shape: Shape
  public var format: ElementFormat { code.format }
  public var isMapped: Bool { !codes.storage.isWritable }
  public var byteCount: Int { codes.elementCount + factors.byteCount }
  /// The numbers that codes name.
  public let code: FourBitCode
  /// uint8, two codes a byte.
  package let codes: Tensor
  package let factors: BlockFactors
  /// The elements of a block.
  public let blockLength: Int

  /// - Precondition: as many codes and factors as the shape takes.
  package init(_ codes: Tensor, factors: BlockFactors, code: FourBitCode, blockLength: Int, shape: Shape) {
    let count = shape.elementCount
    precondition(codes.dtype == .uint8 && codes.elementCount == (count + 1) / 2 && shape.rank == 2, "\(codes.elementCount) bytes for \(shape)")
    precondition(factors.count == (count + blockLength - 1) / blockLength, "\(factors.count) factors for \(shape)")
    (self.codes, self.factors, self.code, self.blockLength, self.shape) = (codes, factors, code, blockLength, shape)
  }

  public func decode(row: Int, columns: Range<Int>, into elements: inout MutableSpan<Float>) {
    elements.withUnsafeMutableBufferPointer { out in
      guard let out = out.baseAddress else { return }
      factors.withKernelFactors { factors in
        code.numbers.withUnsafeBufferPointer { numbers in
          graft_decode_4bit(
            out, codes.rawPointer.assumingMemoryBound(to: UInt8.self), numbers.baseAddress, factors, blockLength,
            row * shape[1] + columns.lowerBound, columns.count)
        }
      }
    }
  }
}

extension FourBitMatrix {
  /// The elements of a block where we choose it.
  private static let ownBlockLength = 64
  /// The blocks that a task encodes.
  private static let grain = 256

  /// The matrix nearest to the elements: every block's largest magnitude is its factor, and factors are quantized once more.
  ///
  /// - Parameter matrix: `[rows, columns]`, in any floating-point format.
  /// - Throws: `NonFiniteWeightError` where elements are not finite.
  package init(encoding matrix: Tensor, as code: FourBitCode) throws(NonFiniteWeightError) {
    let count = matrix.elementCount
    let length = Self.ownBlockLength
    let blocks = (count + length - 1) / length
    let codes = Tensor(uninitialized: [(count + 1) / 2], dtype: .uint8)
    let factors = Tensor(uninitialized: [blocks])
    let (bytes, largest) = (codes.rawPointer.assumingMemoryBound(to: UInt8.self), factors.mutablePointer)
    matrix.readInPieces(of: Self.grain * length) { piece, elements in
      for start in stride(from: 0, to: piece.count, by: length) {
        let block = UnsafeMutableBufferPointer(start: elements + start, count: min(length, piece.count - start))
        let first = piece.lowerBound + start
        largest[first / length] = Self.encode(block, isWhole: block.count == length, as: code, to: bytes + first / 2)
      }
    }
    guard factors.firstNonFiniteIndex == nil else { throw NonFiniteWeightError(format: code.format) }
    self.init(codes, factors: BlockFactors(quantizing: factors.values), code: code, blockLength: length, shape: matrix.shape)
  }

  /// Writes the codes of a block.
  /// - Returns: the factor; no number where some element is none.
  private static func encode(
    _ block: UnsafeMutableBufferPointer<Float>, isWhole: Bool, as code: FourBitCode, to bytes: UnsafeMutablePointer<UInt8>
  ) -> Float {
    guard let largest = UnsafeBufferPointer(block).largestMagnitude, let elements = block.baseAddress else { return .nan }
    let divisor = max(largest, 1e-38)
    let inverse = 1 / divisor
    // bitsandbytes divides by the factor of a last block that is not full.
    for index in block.indices { elements[index] = min(max(isWhole ? elements[index] * inverse : elements[index] / divisor, -1), 1) }
    code.encode(elements, count: block.count, to: bytes)
    return isWhole ? largest : divisor
  }
}

extension UnsafeBufferPointer<Float> {
  /// The largest magnitude; nil where an element is not finite.
  var largestMagnitude: Float? {
    var largest: Float = 0
    for element in self {
      guard element.isFinite else { return nil }
      largest = Swift.max(largest, element.magnitude)
    }
    return largest
  }
}
