import CKernels

/// A matrix of signed bytes with a factor a row, as bitsandbytes' `Linear8bitLt` stores it: `w = q * factor / 127`
/// (Dettmers et al. 2022, "LLM.int8()", section 2.1).
public struct RowScaledMatrix: BlockMatrix {
  public var shape: Shape { codes.shape }
  public var format: ElementFormat { .rowScaledInt8 }
  public var isMapped: Bool { !codes.storage.isWritable }
  public var byteCount: Int { codes.elementCount + 4 * factors.elementCount }
  /// int8, `[rows, columns]`.
  package let codes: Tensor
  /// float32, `[rows]`.
  package let factors: Tensor

  /// - Precondition: a factor a row.
  package init(_ codes: Tensor, factors: Tensor) {
    precondition(codes.dtype == .int8 && codes.shape.rank == 2 && factors.dtype == .float32 && factors.elementCount == codes.shape[0])
    (self.codes, self.factors) = (codes, factors)
  }

  /// The matrix nearest to the elements as float16 has them: a row's largest magnitude is its factor.
  ///
  /// - Parameter matrix: `[rows, columns]`, in any floating-point format.
  /// - Throws: `NonFiniteWeightError` where elements are not finite in float16.
  package init(encoding matrix: Tensor) throws(NonFiniteWeightError) {
    let columns = matrix.shape[1]
    let codes = Tensor(uninitialized: matrix.shape, dtype: .int8)
    let factors = Tensor(uninitialized: [matrix.shape[0]])
    let (bytes, largest) = (codes.rawPointer.assumingMemoryBound(to: Int8.self), factors.mutablePointer)
    matrix.readInPieces(of: columns) { piece, elements in
      let row = piece.lowerBound / max(1, columns)
      graft_round(elements, elements, Int32(GRAFT_FLOAT16.rawValue), piece.count)
      let factor = UnsafeBufferPointer(start: elements, count: piece.count).largestMagnitude
      largest[row] = factor ?? .nan
      // A row of zeros has no inverse.
      let inverse = factor.map { $0 > 0 ? 127 * (1 / $0) : 0 } ?? 0
      if factor != nil { graft_encode_8bit(bytes + piece.lowerBound, elements, inverse, columns) }
    }
    guard factors.firstNonFiniteIndex == nil else { throw NonFiniteWeightError(format: .rowScaledInt8) }
    self.init(codes, factors: factors)
  }

  public func decode(row: Int, columns: Range<Int>, into elements: inout MutableSpan<Float>) {
    let from = codes.rawPointer.assumingMemoryBound(to: Int8.self) + row * shape[1] + columns.lowerBound
    let factor = factors.pointer[row]
    elements.withUnsafeMutableBufferPointer { out in
      if let out = out.baseAddress { graft_decode_8bit(out, from, factor, columns.count) }
    }
  }
}
