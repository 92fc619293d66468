import CKernels

/// A matrix of codes of 8 bits with a factor a block, as bitsandbytes' `quantize_blockwise` makes them: `w = numbers[q] * factor`
/// (Dettmers et al. 2022, "8-bit Optimizers via Block-wise Quantization", section 2).
///
/// Blocks are of consecutive elements, row after row; one may end in the next row.
public struct DynamicMatrix: BlockMatrix {
  public let shape: Shape
  public var format: ElementFormat { .dynamicInt8 }
  public var isMapped: Bool { !codes.storage.isWritable }
  public var byteCount: Int { codes.elementCount + 4 * factors.elementCount }
  /// uint8, a code an element.
  package let codes: Tensor
  /// float32, a factor a block.
  package let factors: Tensor
  /// The elements of a block, bitsandbytes' own for 8 bits.
  static let blockLength = 4096

  /// The matrix nearest to the elements: every block's largest magnitude is its factor.
  ///
  /// - Parameter matrix: `[rows, columns]`, in any floating-point format.
  /// - Throws: `NonFiniteWeightError` where elements are not finite.
  package init(encoding matrix: Tensor) throws(NonFiniteWeightError) {
    let length = Self.blockLength
    let codes = Tensor(uninitialized: [matrix.elementCount], dtype: .uint8)
    let factors = Tensor(uninitialized: [(matrix.elementCount + length - 1) / length])
    let (bytes, largest) = (codes.rawPointer.assumingMemoryBound(to: UInt8.self), factors.mutablePointer)
    matrix.readInPieces(of: length) { piece, elements in
      for start in stride(from: 0, to: piece.count, by: length) {
        let block = UnsafeBufferPointer(start: elements + start, count: min(length, piece.count - start))
        let first = piece.lowerBound + start
        largest[first / length] = block.largestMagnitude == nil ? .nan : DynamicCode.encode(block, to: bytes + first)
      }
    }
    guard factors.firstNonFiniteIndex == nil else { throw NonFiniteWeightError(format: .dynamicInt8) }
    (self.codes, self.factors, shape) = (codes, factors, matrix.shape)
  }

  public func decode(row: Int, columns: Range<Int>, into elements: inout MutableSpan<Float>) {
    let first = row * shape[1] + columns.lowerBound
    let from = codes.rawPointer.assumingMemoryBound(to: UInt8.self) + first
    elements.withUnsafeMutableBufferPointer { out in
      guard let out = out.baseAddress else { return }
      DynamicCode.numbers.withUnsafeBufferPointer { numbers in
        graft_decode_table(out, from, numbers.baseAddress, factors.pointer, Self.blockLength, first, columns.count)
      }
    }
  }
}
