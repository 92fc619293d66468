import CKernels

/// One query's attention: keys and values are read once, run by run, where they lie.
extension KeyRows {
  /// Writes the products of a query with some of the keys.
  ///
  /// - Parameters:
  ///   - query: `[1, headSize]`.
  ///   - head: the key head, of `heads`.
  ///   - keys: `[rows, heads * headSize]`.
  ///   - range: the keys, counted within the span.
  ///   - out: `[range.count]`.
  func multiply(_ query: MatrixOperand, head: Int, of heads: Int, _ keys: Tensor, _ range: Range<Int>, into out: UnsafeMutablePointer<Float>) {
    let width = keys.shape.columns
    let size = width / heads
    forEachRun(in: range) { rows, before in
      let matrix = MatrixOperand(keys.pointer + rows.lowerBound * width + head * size, stride: width, transposed: true)
      FewRows.multiplySerially(m: 1, n: rows.count, k: size, query, matrix, beta: 0, out + before, stride: range.count)
    }
  }

  /// Writes the sum of some of the values, each times its weight; the order of the sum knows nothing of the runs.
  ///
  /// - Parameters:
  ///   - weights: `[range.count]`.
  ///   - head: the value head, of `heads`.
  ///   - values: `[rows, heads * valueSize]`.
  ///   - range: the values, counted within the span.
  ///   - out: `[valueSize]`.
  func sum(
    _ weights: UnsafePointer<Float>, head: Int, of heads: Int, _ values: Tensor, _ range: Range<Int>, into out: UnsafeMutablePointer<Float>
  ) {
    let width = values.shape.columns
    let size = width / heads
    if range.isEmpty { graft_fill(out, 0, size) }
    forEachRun(in: range) { rows, before in
      let matrix = MatrixOperand(values.pointer + rows.lowerBound * width + head * size, stride: width)
      let part = MatrixOperand(weights + before, stride: rows.count)
      FewRows.multiplySerially(m: 1, n: size, k: rows.count, part, matrix, beta: before == 0 ? 0 : 1, out, stride: size)
    }
  }

  /// Runs `body` for the runs that hold a range of the rows, counted within the span, with the number of rows of it before each.
  private func forEachRun(in range: Range<Int>, _ body: (_ rows: Range<Int>, _ before: Int) -> Void) {
    forEachRun { rows, before in
      let part = range.clamped(to: before..<before + rows.count)
      guard !part.isEmpty else { return }
      let first = rows.lowerBound + part.lowerBound - before
      body(first..<first + part.count, part.lowerBound - range.lowerBound)
    }
  }
}
