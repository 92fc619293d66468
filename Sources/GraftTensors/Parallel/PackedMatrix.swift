import CKernels

/// The second operand `[terms, columns]` of products on one thread, laid out once for all of them where that pays.
package struct PackedMatrix {
  let operand: MatrixOperand
  let terms: Int, columns: Int
  private let storage: Storage?

  /// Products start at columns that are a multiple of this, and end at one or at the last column.
  package static let columnStep = RegisterTile.ofThisProcessor?.columns ?? 1

  /// Room for the float32 matrix, which `pack()` fills.
  /// - Parameter rows: how many rows will be multiplied with it: a single one would read what is packed once.
  package init(_ operand: MatrixOperand, terms: Int, columns: Int, forRows rows: Int) {
    (self.operand, self.terms, self.columns) = (operand, terms, columns)
    let step = Self.columnStep, pays = rows > 1 && terms > 0 && columns > 0 && RegisterTile.ofThisProcessor != nil
    storage = pays ? Storage(byteCount: terms * ((columns + step - 1) / step * step) * DType.float32.byteWidth) : nil
  }

  /// Whether products read panels that `pack()` fills, or the operand itself.
  package var isPacked: Bool { storage != nil }

  package func pack() {
    guard let storage else { return }
    withUnsafePointer(to: operand.matrix) {
      graft_pack_panels(storage.base.assumingMemoryBound(to: Float.self), $0, terms, 0, columns, 0, terms)
    }
  }

  /// Nil where the BLAS reads the operand as it is.
  var panels: UnsafePointer<Float>? { storage.map { UnsafePointer($0.base.assumingMemoryBound(to: Float.self)) } }
}
