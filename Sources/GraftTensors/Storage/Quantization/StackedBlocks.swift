/// Matrices of one shape in blocks, such as those of a layer's experts: `[count, rows, columns]`.
public struct StackedBlocks: BlockMatrix {
  /// The matrices.
  public let matrices: [any BlockMatrix]

  /// - Precondition: at least one matrix, all of one shape.
  public init(_ matrices: [any BlockMatrix]) {
    precondition(!matrices.isEmpty && matrices.allSatisfy { $0.shape == matrices[0].shape }, "\(matrices.map(\.shape)) as one stack")
    self.matrices = matrices
  }

  public var shape: Shape { [matrices.count, matrices[0].shape[0], matrices[0].shape[1]] }
  public var format: ElementFormat { matrices[0].format }
  public var isMapped: Bool { matrices[0].isMapped }
  public var byteCount: Int { matrices.reduce(0) { $0 + $1.byteCount } }

  public func decode(row: Int, columns: Range<Int>, into elements: inout MutableSpan<Float>) {
    let rows = matrices[0].shape[0]
    matrices[row / rows].decode(row: row % rows, columns: columns, into: &elements)
  }

  /// All elements.
  var decoded: Tensor { concatenateRows(matrices.map { Weight.blocks($0).dense() }).reshaped(to: shape) }
}
