import CKernels

/// The second operand `[terms, columns]` of products on one thread, laid out once for all of them where that pays.
package struct PackedMatrix {
  let operand: MatrixOperand
  let terms: Int, columns: Int
  private let isTiled: Bool
  /// The floats in a column of a packed panel.
  private let depth: Int
  /// Floats that the panels take; none where the operand is read where it is.
  private let packedCount: Int
  private var storage: Storage?
  /// Memory that the operand lies in, where nobody else keeps it.
  private let owner: Storage?

  /// Products start at columns that are a multiple of this, and end at one or at the last column.
  package static let columnStep = max(1, Int(graft_panel_columns()))

  /// True where products of operands in a 16-bit format have a tile of their own, and need not widen what they round.
  static func hasTile(of format: ElementFormat) -> Bool { graft_panel_depth(format.kernelType, 2) == 1 }

  /// The matrix, to be used after `pack()`.
  /// - Parameters:
  ///   - rows: the number of rows that will be multiplied with it: a single one would read what is packed once.
  ///   - owner: the memory of the operand's elements, where nobody else keeps it.
  ///   - readsInPlace: false where it is packed even though tiles could read it where it is.
  package init(
    _ operand: MatrixOperand, terms: Int, columns: Int, forRows rows: Int, readsInPlace: Bool = true, keeping owner: Storage? = nil
  ) {
    (self.operand, self.terms, self.columns, self.owner) = (operand, terms, columns, owner)
    isTiled = (rows > 1 || operand.rounding != nil) && terms > 0 && columns > 0 && RegisterTile(for: operand.rounding) != nil
    let step = Self.columnStep
    let packs = isTiled && !(readsInPlace && operand.matrix.isReadInPlace(columns: columns))
    depth = graft_panel_depth(operand.matrix.rounding, terms)
    packedCount = packs ? depth * ((columns + step - 1) / step * step) : 0
  }

  /// Packs the matrix on the calling thread.
  package mutating func pack() {
    guard packedCount > 0 else { return }
    let storage = Storage(byteCount: ElementFormat.float32.bytes(for: packedCount))
    withUnsafePointer(to: operand.matrix) { graft_pack_panels(storage.floats, $0, terms, 0, columns, 0, terms) }
    self.storage = storage
  }

  /// Nil where the BLAS reads the operand.
  var panels: graft_panels? {
    guard isTiled else { return nil }
    return storage.map { graft_panels(base: $0.floats, depth: depth, row_stride: 0, rounding: operand.matrix.rounding) }
      ?? operand.matrix.panelsInPlace
  }
}

extension graft_matrix {
  func isReadInPlace(columns: Int) -> Bool { withUnsafePointer(to: self) { graft_reads_in_place($0, columns) } != 0 }

  var panelsInPlace: graft_panels {
    graft_panels(base: base.assumingMemoryBound(to: Float.self), depth: 0, row_stride: row_stride, rounding: rounding)
  }

  /// Packs a slab of columns on all threads.
  func packed(into storage: Storage, terms k: Int, columns: Range<Int>, _ tile: RegisterTile) -> graft_panels {
    let first = columns.lowerBound
    let count = columns.count
    let depth = graft_panel_depth(rounding, k)
    if column_stride == 1 {
      parallel(over: k, grain: max(4, (1 << 12) / count) & ~1) { terms in
        withUnsafePointer(to: self) { graft_pack_panels(storage.floats, $0, k, first, count, terms.lowerBound, terms.upperBound) }
      }
    } else {
      parallel(over: count, grain: max(1, (1 << 12) / (k * tile.columns)) * tile.columns) { part in
        withUnsafePointer(to: self) { graft_pack_panels(storage.floats + depth * part.lowerBound, $0, k, first + part.lowerBound, part.count, 0, k) }
      }
    }
    return graft_panels(base: storage.floats, depth: depth, row_stride: 0, rounding: rounding)
  }
}

extension graft_panels {
  /// The panels from a column on.
  func from(column: Int) -> graft_panels {
    graft_panels(base: base + column * (row_stride == 0 ? depth : 1), depth: depth, row_stride: row_stride, rounding: rounding)
  }
}

extension Storage {
  fileprivate var floats: UnsafeMutablePointer<Float> { base.assumingMemoryBound(to: Float.self) }
}
