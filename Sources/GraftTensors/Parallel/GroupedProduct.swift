/// One of several products that are computed together: `out = alpha a b + beta out`.
struct GroupedProduct {
  let rows: Int
  let columns: Int
  let terms: Int
  /// `[rows, terms]`, float32.
  let a: MatrixOperand
  /// `[terms, columns]`, in any floating-point format or in blocks.
  let b: WeightOperand
  /// `[rows, columns]`, with `stride` elements from one row to the next.
  let out: UnsafeMutablePointer<Float>
  let stride: Int
  var beta: Float = 0

  /// True where the rows are so few that `b` is better read where it lies than packed.
  fileprivate func areFew(_ rounding: ElementFormat?) -> Bool {
    guard FewRows.suit(m: rows, n: columns, k: terms, a) else { return false }
    switch b {
    case .elements(let b): return rounding == nil || b.dtype == rounding
    case .blocks: return rounding == nil
    }
  }

  /// The columns of a piece. They do not change what a column becomes, so that results do not depend on the number of threads.
  fileprivate func pieceColumns(areFew: Bool) -> Int {
    let step: Int
    switch b {
    case .elements(let b):
      if areFew { return FewRows.grain(n: columns, k: terms, b) }
      step = max(16, PackedMatrix.columnStep)
    case .blocks(_, let isTransposed): step = max(isTransposed ? 16 : longestBlock, PackedMatrix.columnStep)
    }
    // Few enough that the packed part of `b` stays in the second cache and that a piece takes a fraction of a millisecond.
    let count = min((1 << 17) / max(1, terms), (1 << 22) / max(1, rows * terms))
    return max(1, count / step) * step
  }

  /// Computes the columns of one piece on the calling thread.
  /// - Parameters:
  ///   - a: the first operand, rounded already where few rows are.
  ///   - rounding: the format that operands are rounded to; nil for none.
  fileprivate func multiply(_ a: MatrixOperand, columns range: Range<Int>, _ alpha: Float, _ rounding: ElementFormat?, areFew: Bool) {
    let out = out + range.lowerBound
    guard terms > 0 else {
      for row in 0..<rows {
        for column in 0..<range.count { out[row * stride + column] = beta == 0 ? 0 : beta * out[row * stride + column] }
      }
      return
    }
    b.withColumns(range, terms: terms) { part in
      if areFew {
        FewRows.multiplySerially(m: rows, n: range.count, k: terms, alpha: alpha, a, part, beta: beta, out, stride: stride)
      } else {
        multiplyPacked(a, part, columns: range.count, alpha, rounding, into: out)
      }
    }
  }

  private func multiplyPacked(
    _ a: MatrixOperand, _ part: MatrixOperand, columns: Int, _ alpha: Float, _ rounding: ElementFormat?, into out: UnsafeMutablePointer<Float>
  ) {
    var part = part
    part.rounding = rounding
    var packed = PackedMatrix(
      part, terms: terms, columns: columns, forRows: max(2, rows), readsInPlace: terms * part.stride <= RegisterTile.placeCapacity)
    packed.pack()
    multiplySerially(rows, columns, terms, alpha, a, packed, beta, out, stride)
  }
}

extension WeightOperand {
  /// Hands over columns of a matrix of so many terms, decoded where it is stored in blocks: no more of it is decoded at a time.
  fileprivate func withColumns(_ range: Range<Int>, terms: Int, _ body: (MatrixOperand) -> Void) {
    switch self {
    case .elements(let operand): body(operand.from(row: 0, column: range.lowerBound))
    case .blocks(let matrix, let isTransposed):
      let decoded = isTransposed ? matrix.decoded(rows: range) : matrix.decoded(rows: 0..<terms, columns: range)
      withExtendedLifetime(decoded) { body(decoded.operand(transposed: isTransposed)) }
    }
  }
}

/// Computes all products at once, in pieces of columns that every thread takes its share of: many small products cost what one
/// large product of as many terms costs, and those without rows cost nothing. The precision is that of the current execution.
func multiplyGrouped(_ products: [GroupedProduct], alpha: Float = 1) {
  let rounding = Execution.current.arithmetic.operandFormat
  let products = products.filter { $0.rows > 0 }
  // Among many rows a few are computed as they are: what a row becomes does not depend on how many its matrix is multiplied with.
  let areFew = products.allSatisfy { $0.areFew(rounding) }
  let rounded = products.map { product in
    areFew && rounding != nil ? WidenedOperand(product.a, rows: product.rows, columns: product.terms, through: rounding) : nil
  }
  var pieces: [(product: Int, columns: Range<Int>)] = []
  for (index, product) in products.enumerated() {
    let width = product.pieceColumns(areFew: areFew)
    for start in stride(from: 0, to: product.columns, by: width) {
      pieces.append((index, start..<min(product.columns, start + width)))
    }
  }
  withExtendedLifetime(rounded) {
    parallel(pieces.count) { index in
      let (product, columns) = (products[pieces[index].product], pieces[index].columns)
      product.multiply(rounded[pieces[index].product]?.operand ?? product.a, columns: columns, alpha, rounding, areFew: areFew)
    }
  }
}
