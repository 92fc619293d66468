/// A matrix of blocks whose rows stand in another order where they are stored.
public struct ReorderedRows: BlockMatrix {
  private let base: any BlockMatrix
  private let order: [Int32]

  /// - Parameters:
  ///   - base: the matrix as it is stored.
  ///   - order: for each row its place in the base.
  /// - Precondition: a place in the base for each of its rows.
  public init(_ base: any BlockMatrix, order: [Int32]) {
    precondition(order.count == base.shape[0] && order.allSatisfy { (0..<base.shape[0]).contains(Int($0)) }, "an order of \(base.shape[0]) rows")
    (self.base, self.order) = (base, order)
  }

  public var shape: Shape { base.shape }
  public var format: ElementFormat { base.format }
  public var isMapped: Bool { base.isMapped }
  public var byteCount: Int { base.byteCount }

  public func decode(row: Int, columns: Range<Int>, into elements: inout MutableSpan<Float>) {
    base.decode(row: Int(order[row]), columns: columns, into: &elements)
  }
}
