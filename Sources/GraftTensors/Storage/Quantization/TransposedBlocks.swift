/// A matrix whose transpose is stored in blocks, as a layer of `[in, out]` is that is quantized output by output.
///
/// Products take the stored one and its transposition; nothing else needs to be fast.
public struct TransposedBlocks: BlockMatrix {
  package let base: any BlockMatrix

  /// - Parameter base: the matrix as it is stored.
  public init(_ base: any BlockMatrix) { self.base = base }

  /// The transpose of a matrix: what it was made of where it is one itself.
  public static func transpose(of matrix: any BlockMatrix) -> any BlockMatrix {
    (matrix as? TransposedBlocks)?.base ?? TransposedBlocks(matrix)
  }

  public var shape: Shape { [base.shape[1], base.shape[0]] }
  public var format: ElementFormat { base.format }
  public var isMapped: Bool { base.isMapped }
  public var byteCount: Int { base.byteCount }

  public func decode(row: Int, columns: Range<Int>, into elements: inout MutableSpan<Float>) {
    let block = row / longestBlock * longestBlock..<min(base.shape[1], (row / longestBlock + 1) * longestBlock)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: block.count) { buffer in
      for column in columns {
        var part = MutableSpan(_unsafeElements: buffer)
        base.decode(row: column, columns: block, into: &part)
        elements[column - columns.lowerBound] = buffer[row - block.lowerBound]
      }
    }
  }
}
