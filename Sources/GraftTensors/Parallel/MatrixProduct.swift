import CKernels

/// A matrix operand: row-major elements with a distance between rows, in any floating-point type.
package struct MatrixOperand {
  var base: UnsafeRawPointer
  var dtype: ElementFormat
  var stride: Int
  var isTransposed: Bool
  /// The format that the elements of a product's second operand, and of its first with it, are rounded to; nil for none.
  var rounding: ElementFormat?

  package init(
    _ base: UnsafeRawPointer, dtype: ElementFormat = .float32, stride: Int, transposed: Bool = false, rounding: ElementFormat? = nil
  ) {
    self.base = base
    self.dtype = dtype
    self.stride = stride
    self.rounding = rounding
    isTransposed = transposed
  }

  /// The operand without its first rows and columns.
  func from(row: Int, column: Int) -> MatrixOperand {
    let offset = isTransposed ? column * stride + row : row * stride + column
    return MatrixOperand(base + dtype.bytes(for: offset), dtype: dtype, stride: stride, transposed: isTransposed, rounding: rounding)
  }

  /// The operand with its transposition in the strides.
  var matrix: graft_matrix {
    graft_matrix(
      base: base, type: dtype.kernelType, rounding: (rounding ?? .float32).kernelType, row_stride: isTransposed ? 1 : stride,
      column_stride: isTransposed ? stride : 1)
  }
}

extension ElementFormat {
  /// The number that kernels know a floating-point format by.
  var kernelType: Int32 { Int32((self == .bfloat16 ? GRAFT_BFLOAT16 : self == .float16 ? GRAFT_FLOAT16 : GRAFT_FLOAT32).rawValue) }
}

/// `c = alpha op(a) op(b) + beta addend`, with op(a) [m, k], op(b) [k, n] and c [m, n].
///
/// The addend is `c` itself where none is given, and has its stride. An element's terms are summed in the same order whatever
/// the pieces that the product is cut into: the same bits on any number of threads. The precision is that of the current execution.
package func multiplyMatrices(
  m: Int, n: Int, k: Int, alpha: Float = 1, _ a: MatrixOperand, _ b: MatrixOperand, beta: Float, _ c: UnsafeMutablePointer<Float>, stride: Int,
  addend: UnsafePointer<Float>? = nil
) {
  guard m > 0, n > 0 else { return }
  let addend = addend ?? UnsafePointer(c)
  guard let format = Execution.current.arithmetic.operandFormat else {
    return multiplyReady(m: m, n: n, k: k, alpha: alpha, a, b, beta: beta, c, stride: stride, addend: addend)
  }
  var second = b
  second.rounding = format
  // Few rows are rounded before they meet a matrix that is stored so already; tiles round what they pack.
  let isRead = b.dtype == format && FewRows.suit(m: m, n: n, k: k, a)
  if !isRead, k > 0, RegisterTile(for: format) != nil {
    return multiplyReady(m: m, n: n, k: k, alpha: alpha, a, second, beta: beta, c, stride: stride, addend: addend)
  }
  let first = WidenedOperand(a, rows: m, columns: k, through: format)
  let widened = isRead ? nil : WidenedOperand(b, rows: k, columns: n, through: format)
  withExtendedLifetime((first, widened)) {
    multiplyReady(m: m, n: n, k: k, alpha: alpha, first.operand, widened?.operand ?? b, beta: beta, c, stride: stride, addend: addend)
  }
}

/// The product of operands that are rounded already, or are to be as they are packed.
private func multiplyReady(
  m: Int, n: Int, k: Int, alpha: Float, _ a: MatrixOperand, _ b: MatrixOperand, beta: Float, _ c: UnsafeMutablePointer<Float>, stride: Int,
  addend: UnsafePointer<Float>
) {
  if b.rounding == nil, FewRows.suit(m: m, n: n, k: k, a) {
    FewRows.multiply(m: m, n: n, k: k, alpha, a, b, beta, addend, c, stride)
  } else if m > 1 || b.rounding != nil, k > 0, let tile = RegisterTile(for: b.rounding) {
    multiplyTiled(tile, m: m, n: n, k: k, alpha, a.matrix, b.matrix, beta, addend, c, stride)
  } else {
    if beta != 0, addend != c {
      parallel(over: m, grain: rowGrain(columns: n)) { rows in
        for row in rows { (c + row * stride).update(from: addend + row * stride, count: n) }
      }
    }
    multiplyInPieces(m: m, n: n, k: k, alpha, a, b, beta, c, stride)
  }
}

/// The tile that our own product keeps in registers.
struct RegisterTile {
  /// The rows of a tile, and the columns of the widest panel of any format.
  let rows: Int, columns: Int

  /// The tile for operands that are rounded to a format; nil on a processor without one, where the BLAS does better.
  init?(for rounding: ElementFormat?) {
    rows = Int(graft_tile_rows((rounding ?? .float32).kernelType))
    columns = Int(graft_panel_columns())
    if rows == 0 { return nil }
  }

  /// The operations of a piece that takes microseconds: a matrix unit, whose tiles are tall, does ten times as many.
  var smallestPiece: Int { rows > 16 ? 1 << 20 : 1 << 17 }

  /// The most floats of packed columns at a time: 4 MiB, which stay in the last cache from packing to use.
  static let slabCapacity = 1 << 20

  /// The most floats of a matrix that is read where it is: 256 KiB. The rows of a larger one lie on so many pages of memory
  /// that every tile would wait for their addresses.
  static let placeCapacity = 1 << 16
}

/// Multiplies pieces of a with b, a slab of its columns at a time; where b is not read where it is, every slab is packed
/// once for all pieces.
private func multiplyTiled(
  _ tile: RegisterTile, m: Int, n: Int, k: Int, _ alpha: Float, _ a: graft_matrix, _ b: graft_matrix, _ beta: Float,
  _ addend: UnsafePointer<Float>, _ c: UnsafeMutablePointer<Float>, _ stride: Int
) {
  let depth = graft_panel_depth(b.rounding, k)
  let slab = min((n + tile.columns - 1) / tile.columns, max(1, RegisterTile.slabCapacity / (depth * tile.columns))) * tile.columns
  let isRead = (k * n <= RegisterTile.placeCapacity || m <= tile.rows) && b.isReadInPlace(columns: n)
  let packed = isRead ? nil : Storage(byteCount: ElementFormat.float32.bytes(for: depth * slab))
  let tileRows = (m + tile.rows - 1) / tile.rows
  withExtendedLifetime(packed) {
    for first in Swift.stride(from: 0, to: n, by: slab) {
      let columns = min(slab, n - first)
      let columnPanels = (columns + tile.columns - 1) / tile.columns
      let panels = packed.map { b.packed(into: $0, terms: k, columns: first..<first + columns, tile) } ?? b.panelsInPlace.from(column: first)
      let mostPieces = max(1, 2 * m * columns * k / tile.smallestPiece)
      let columnPieces = min(columnPanels, max(1, 8 * Threads.count / tileRows), mostPieces)
      let rowPieces = shrinkingPieces(of: tileRows, smallest: (tileRows * columnPieces + mostPieces - 1) / mostPieces)
      parallel(rowPieces.count * columnPieces) { piece in
        let tiles = rowPieces[piece / columnPieces]
        let rows = tiles.lowerBound * tile.rows..<min(m, tiles.upperBound * tile.rows)
        let part = share(piece % columnPieces, of: columnPieces, in: columnPanels, unit: tile.columns, limit: columns)
        let corner = rows.lowerBound * stride + first + part.lowerBound
        multiply(a, rows: rows, panels.from(column: part.lowerBound), columns: part.count, k, alpha, beta, addend + corner, c + corner, stride)
      }
    }
  }
}

/// `c = alpha a[rows] b[firstTerm...] + beta addend` on the calling thread.
private func multiply(
  _ a: graft_matrix, rows: Range<Int>, _ b: graft_panels, firstTerm: Int = 0, columns: Int, _ k: Int, _ alpha: Float, _ beta: Float,
  _ addend: UnsafePointer<Float>, _ c: UnsafeMutablePointer<Float>, _ stride: Int
) {
  withUnsafePointer(to: a) { a in
    withUnsafePointer(to: b) { graft_multiply_panels(a, rows.lowerBound, rows.count, $0, firstTerm, columns, k, alpha, beta, addend, c, stride) }
  }
}

/// Large pieces first and small ones last, so that no thread waits long for another.
private func shrinkingPieces(of count: Int, smallest: Int) -> [Range<Int>] {
  var pieces: [Range<Int>] = []
  var start = 0
  while start < count {
    let end = min(count, start + max(smallest, (count - start) / (2 * Threads.count)))
    pieces.append(start..<end)
    start = end
  }
  return pieces
}

/// The share of piece `index` of `pieces` in `count` units of `unit` elements, of which there are `limit`: shares differ by one unit at most.
private func share(_ index: Int, of pieces: Int, in count: Int, unit: Int, limit: Int) -> Range<Int> {
  index * count / pieces * unit..<min(limit, (index + 1) * count / pieces * unit)
}

/// `c = alpha op(a) op(b) + beta c` on the calling thread, of float32 operands; the second one says how both are rounded.
package func multiplySerially(
  _ m: Int, _ n: Int, _ k: Int, _ alpha: Float, _ a: MatrixOperand, _ b: MatrixOperand, _ beta: Float, _ c: UnsafeMutablePointer<Float>, _ stride: Int
) {
  var b = PackedMatrix(b, terms: k, columns: n, forRows: m)
  b.pack()
  multiplySerially(m, n, k, alpha, a, b, beta, c, stride)
}

/// The same with a packed matrix, of which the product takes `k` terms from `firstTerm` on and `n` columns from `firstColumn` on.
package func multiplySerially(
  _ m: Int, _ n: Int, _ k: Int, _ alpha: Float, _ a: MatrixOperand, _ b: PackedMatrix, firstTerm: Int = 0, firstColumn: Int = 0, _ beta: Float,
  _ c: UnsafeMutablePointer<Float>, _ stride: Int
) {
  guard let panels = b.panels, k > 0 else {
    let second = b.operand.from(row: firstTerm, column: firstColumn)
    // The BLAS reads float32 alone.
    let format = second.rounding
    let first = format.map { WidenedOperand(a, rows: m, columns: k, through: $0) }
    let widened = format == nil && second.dtype == .float32 ? nil : WidenedOperand(second, rows: k, columns: n, through: format)
    return withExtendedLifetime((first, widened)) {
      sgemm(m, n, k, alpha, first?.operand ?? a, widened?.operand ?? second, beta, c, stride)
    }
  }
  withExtendedLifetime(b) {
    multiply(a.matrix, rows: 0..<m, panels.from(column: firstColumn), firstTerm: firstTerm, columns: n, k, alpha, beta, c, c, stride)
  }
}
