/// One of several products that are computed together: `out = alpha a b + beta out`.
struct GroupedProduct {
  let rows: Int
  let columns: Int
  let terms: Int
  /// `[rows, terms]`, float32.
  let a: MatrixOperand
  /// `[terms, columns]`, in any floating-point type.
  let b: MatrixOperand
  /// `[rows, columns]`, with `stride` elements from one row to the next.
  let out: UnsafeMutablePointer<Float>
  let stride: Int
  var beta: Float = 0

  /// The columns of a piece: few enough that the packed part of `b` stays in the second cache and that a piece takes a fraction of a
  /// millisecond. They depend on the shape alone, so that results do not depend on the number of threads.
  fileprivate var pieceColumns: Int {
    let step = max(16, PackedMatrix.columnStep)
    let columns = min((1 << 17) / max(1, terms), (1 << 22) / max(1, rows * terms))
    return max(1, columns / step) * step
  }

  /// Computes the columns of one piece on the calling thread.
  /// - Parameters:
  ///   - rounding: the format that operands are rounded to; nil for none.
  ///   - isVector: true for a single row that is multiplied without packing.
  fileprivate func multiply(columns range: Range<Int>, _ alpha: Float, _ rounding: ElementFormat?, isVector: Bool) {
    guard terms > 0 else {
      for row in 0..<rows {
        for column in range { out[row * stride + column] = beta == 0 ? 0 : beta * out[row * stride + column] }
      }
      return
    }
    var part = b.from(row: 0, column: range.lowerBound)
    part.rounding = rounding
    // Tiles read any type; the BLAS reads float32.
    let isWidened = part.dtype != .float32 && (isVector && rounding == nil || RegisterTile(for: rounding) == nil)
    let widened = isWidened ? WidenedOperand(part, rows: terms, columns: range.count, through: rounding) : nil
    withExtendedLifetime(widened) {
      var packed = PackedMatrix(
        widened?.operand ?? part, terms: terms, columns: range.count, forRows: isVector ? 1 : max(2, rows),
        readsInPlace: terms * b.stride <= RegisterTile.placeCapacity)
      packed.pack()
      multiplySerially(rows, range.count, terms, alpha, a, packed, beta, out + range.lowerBound, stride)
    }
  }
}

/// Computes all products at once, in pieces of columns that every thread takes its share of: many small products cost what one
/// large product of as many terms costs, and those without rows cost nothing. The precision is that of the current execution.
func multiplyGrouped(_ products: [GroupedProduct], alpha: Float = 1) {
  let rounding = Execution.current.arithmetic.operandFormat
  var pieces: [(product: Int, columns: Range<Int>)] = []
  for (index, product) in products.enumerated() where product.rows > 0 {
    let width = product.pieceColumns
    for start in stride(from: 0, to: product.columns, by: width) {
      pieces.append((index, start..<min(product.columns, start + width)))
    }
  }
  // Among others a single row is computed as they are: what it becomes does not depend on the rows that its matrix is multiplied with.
  let areVectors = products.allSatisfy { $0.rows <= 1 }
  parallel(pieces.count) { index in
    let piece = pieces[index]
    products[piece.product].multiply(columns: piece.columns, alpha, rounding, isVector: areVectors)
  }
}
