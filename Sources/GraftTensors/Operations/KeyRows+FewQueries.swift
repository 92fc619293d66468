import CKernels

/// A few queries' attention: keys and values are read run by run, where they lie and as they are stored.
extension KeyRows {
  /// The most queries that read keys and values so.
  static let mostQueries = 8
  /// Keys or values that are rounded together, so that they stay in the first-level cache until they are multiplied.
  private static let roundedRows = 64

  /// Writes the products of a few queries with some of the keys.
  ///
  /// - Parameters:
  ///   - queries: `[count, headSize]`, with the format that they and the keys are rounded to.
  ///   - head: the key head, of `heads`.
  ///   - keys: `[rows, heads * headSize]`.
  ///   - range: the keys, counted within the span.
  ///   - out: `[count, range.count]`.
  func multiply(
    _ queries: MatrixOperand, rows count: Int, head: Int, of heads: Int, _ keys: Tensor, _ range: Range<Int>, into out: UnsafeMutablePointer<Float>
  ) {
    let size = keys.shape.columns / heads
    let rounded = queries.rounded(rows: count, columns: size)
    withExtendedLifetime(rounded) {
      forEachPart(keys, head: head, size: size, range, rounding: queries.rounding) { part, rows, before in
        var matrix = part
        matrix.isTransposed = true
        FewRows.multiplySerially(m: count, n: rows, k: size, rounded?.operand ?? queries, matrix, beta: 0, out + before, stride: range.count)
      }
    }
  }

  /// Writes the sums of some of the values, each times its weight; the order of a sum knows nothing of the runs.
  ///
  /// - Parameters:
  ///   - weights: `[count, range.count]`, with the format that they and the values are rounded to.
  ///   - head: the value head, of `heads`.
  ///   - values: `[rows, heads * valueSize]`.
  ///   - range: the values, counted within the span.
  ///   - out: `[count, valueSize]`, with a distance between rows.
  func sum(
    _ weights: MatrixOperand, rows count: Int, head: Int, of heads: Int, _ values: Tensor, _ range: Range<Int>,
    into out: UnsafeMutablePointer<Float>, stride: Int
  ) {
    let size = values.shape.columns / heads
    let rounded = weights.rounded(rows: count, columns: range.count)
    withExtendedLifetime(rounded) {
      forEachPart(values, head: head, size: size, range, rounding: weights.rounding) { part, rows, before in
        let share = (rounded?.operand ?? weights).from(row: 0, column: before)
        FewRows.multiplySerially(m: count, n: size, k: rows, share, part, beta: before == 0 ? 0 : 1, out, stride: stride)
      }
    }
  }

  /// Runs `body` for the parts of a range of the rows that lie side by side, with the number of rows in each and before it.
  ///
  /// - Parameter rounding: the format that float32 elements are rounded to first.
  private func forEachPart(
    _ x: Tensor, head: Int, size: Int, _ range: Range<Int>, rounding: ElementFormat?,
    _ body: (_ part: MatrixOperand, _ rows: Int, _ before: Int) -> Void
  ) {
    let width = x.shape.columns
    guard let rounding, x.dtype == .float32 else {
      return forEachRun(in: range) { rows, before in
        let base = x.rawPointer + x.dtype.bytes(for: rows.lowerBound * width + head * size)
        body(MatrixOperand(base, dtype: x.dtype, stride: width), rows.count, before)
      }
    }
    let scratch = Tensor(uninitialized: [Self.roundedRows, size])
    forEachRun(in: range) { rows, before in
      for start in Swift.stride(from: 0, to: rows.count, by: Self.roundedRows) {
        let count = min(rows.count - start, Self.roundedRows)
        let from = x.pointer + (rows.lowerBound + start) * width + head * size
        graft_round_rows(scratch.mutablePointer, from, width, rounding.kernelType, count, size)
        body(MatrixOperand(scratch.pointer, stride: size), count, before + start)
      }
    }
  }
}

extension MatrixOperand {
  /// A copy of a few rows in the format that they are rounded to; nil where there is none.
  fileprivate func rounded(rows: Int, columns: Int) -> WidenedOperand? {
    rounding.map { WidenedOperand(self, rows: rows, columns: columns, through: $0) }
  }
}
