import CKernels
import Foundation

/// The forward pass (Dao 2023, "FlashAttention-2", algorithm 1): a task has some queries and goes from block to block of their keys.
extension AttentionProblem {
  /// - Parameters:
  ///   - out: `[query rows, heads * valueSize]`.
  ///   - logSumExps: `[heads, query rows]`, the logarithms of the sums of exponentials of scaled scores, sinks included.
  func forward(_ out: Tensor, _ logSumExps: Tensor) {
    let chunks = forwardChunks()
    let ahead = chunks.allSatisfy(readsInPlace) ? self : roundedAhead()
    parallel(chunks.count * heads) { task in
      let chunk = chunks[task / heads]
      let head = task % heads
      let rows = RunningRows(chunk.queries.count, sink: sinks.map { $0.pointer[head] })
      let firstRow = spans[chunk.span].queries.lowerBound + chunk.queries.lowerBound
      let context = out.mutablePointer + firstRow * heads * valueSize + head * valueSize
      if readsInPlace(chunk) {
        attendInPlace(chunk, head, rows, context)
      } else {
        for keys in keyBlocks(span: chunk.span, seenBy: chunk.queries) { ahead.attend(chunk, keys, head, rows, context) }
      }
      let visibility = visibilities[chunk.span]
      let place = lead(of: chunk.span) + chunk.queries.lowerBound
      for row in 0..<chunk.queries.count {
        logSumExps.mutablePointer[head * query.shape[0] + firstRow + row] = rows.logSumExp(row)
        if visibility.keys(at: place + row).isEmpty { graft_fill(context + row * heads * valueSize, 0, valueSize) }
      }
    }
  }

  /// Adds what the queries of a chunk read of a block of keys to their contexts, which shrink as other keys take their share.
  ///
  /// - Parameter context: the head's columns of the chunk's first row of the result.
  private func attend(_ chunk: QueryChunk, _ keys: Range<Int>, _ head: Int, _ rows: RunningRows, _ context: UnsafeMutablePointer<Float>) {
    let packedKeys = packed(key, keys, span: chunk.span, head: head, transposed: true)
    let packedValues = packed(value, keys, span: chunk.span, head: head, transposed: false)
    let firstRow = spans[chunk.span].queries.lowerBound + chunk.queries.lowerBound
    let width = heads * valueSize
    let scratch = Tensor(uninitialized: [min(Self.blockRows, chunk.queries.count), keys.count])
    let s = scratch.mutablePointer
    forEachBlock(of: chunk, keys: keys) { block in
      let count = block.keys.count
      let from = block.keys.lowerBound - keys.lowerBound
      let row = block.queries.lowerBound - firstRow
      let target = context + row * width
      multiplySerially(
        block.queries.count, count, headSize, 1, queries(from: block.queries.lowerBound, head: head), packedKeys, firstColumn: from, 0, s, count)
      rows.takeShares(of: s, block, from: row, head, self)
      if !block.isFirst { graft_scale_rows(target, target, rows.factors + row, block.queries.count, valueSize, width, width) }
      multiplySerially(
        block.queries.count, valueSize, count, 1, MatrixOperand(s, stride: count), packedValues, firstTerm: from, block.isFirst ? 0 : 1, target,
        width)
    }
  }

  /// True where queries are so few that reading keys and values where they lie is faster than packing them.
  private func readsInPlace(_ chunk: QueryChunk) -> Bool {
    let count = spans[chunk.span].queries.count
    return count == 1 || count <= KeyRows.mostQueries && visibilities[chunk.span].keyCount >= 8 * count
  }

  /// The attention of a few queries.
  private func attendInPlace(_ chunk: QueryChunk, _ head: Int, _ rows: RunningRows, _ context: UnsafeMutablePointer<Float>) {
    let keyRows = spans[chunk.span].keys
    guard let block = block(span: chunk.span, queries: chunk.queries, keys: 0..<keyRows.count) else { return }
    let scratch = Tensor(uninitialized: [block.queries.count, block.keys.count])
    let s = scratch.mutablePointer
    keyRows.multiply(
      queries(from: block.queries.lowerBound, head: head), rows: block.queries.count, head: head / group, of: keyValueHeads, key, block.keys, into: s)
    rows.takeShares(of: s, block, from: 0, head, self)
    keyRows.sum(
      MatrixOperand(s, stride: block.keys.count, rounding: rounding), rows: block.queries.count, head: head / group, of: keyValueHeads, value,
      block.keys, into: context, stride: heads * valueSize)
  }
}

/// Rows of a softmax that goes on from block to block of their keys.
private struct RunningRows {
  private let storage: Tensor
  private let count: Int

  /// - Parameter sink: a score without a key, that every row begins with.
  init(_ count: Int, sink: Float?) {
    self.count = count
    storage = Tensor(uninitialized: [3, count])
    graft_fill(largest, sink ?? -.infinity, count)
    graft_fill(sums, sink == nil ? 0 : 1, count)
  }

  /// The largest scaled score of each row.
  private var largest: UnsafeMutablePointer<Float> { storage.mutablePointer }
  /// The sum of each row's exponentials after subtracting that score.
  private var sums: UnsafeMutablePointer<Float> { largest + count }
  /// The factors that earlier blocks' shares of each row shrank by at the last block.
  var factors: UnsafeMutablePointer<Float> { sums + count }

  func logSumExp(_ row: Int) -> Float { sums[row] > 0 ? largest[row] + log(sums[row]) : 0 }

  /// Turns the products of a block's queries and keys into their shares of the softmax so far, without what dropout takes of them.
  /// - Parameter row: the place of the block's first query in these rows.
  func takeShares(of scores: UnsafeMutablePointer<Float>, _ block: AttentionBlock, from row: Int, _ head: Int, _ problem: AttentionProblem) {
    problem.capAndBias(scores, block, head: head)
    let count = block.keys.count
    for index in 0..<block.queries.count {
      let seen = block.visibleKeys(ofRow: index)
      factors[row + index] = graft_softmax_row(
        scores + index * count, largest + row + index, sums + row + index, problem.scale, seen.lowerBound, seen.upperBound, count)
    }
    problem.drop(scores, block, head: head)
    problem.roundShares(scores, block)
  }
}
