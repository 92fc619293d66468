/// Some consecutive queries of a span with some of the keys that any of them sees, and those beside them that a product cannot leave out.
struct AttentionBlock {
  /// Rows of the query tensor.
  let queries: Range<Int>
  /// The place of the first query among the span's keys.
  let firstPlace: Int
  /// Counted within the span.
  let keys: Range<Int>
  /// True where the queries see no key before these.
  let isFirst: Bool
  let visibility: KeyVisibility

  /// The keys of the block that one of its queries sees, counted from the block's first key.
  func visibleKeys(ofRow row: Int) -> Range<Int> {
    let seen = visibility.keys(at: firstPlace + row).clamped(to: keys)
    return seen.lowerBound - keys.lowerBound..<seen.upperBound - keys.lowerBound
  }
}

/// Consecutive queries of a span, counted within it, that one task computes.
struct QueryChunk {
  let span: Int
  let queries: Range<Int>
}

/// A chunk of queries with the keys of one block, for the gradient.
struct GradientPair {
  let chunk: QueryChunk
  /// The place of the chunk among those of all spans.
  let chunkIndex: Int
  /// Counted within the span.
  let keys: Range<Int>
  /// True for the chunk's first pair.
  let isFirst: Bool
}

extension AttentionProblem {
  /// Queries whose scores are computed together: enough for an efficient product, few enough that a causal mask saves work.
  static let blockRows = 32
  /// Keys whose scores are computed together, and queries that a task of the gradient takes: few enough that what is computed of them stays
  /// in the second-level cache, enough that packing them costs little.
  static let blockKeys = 512

  /// The keys of a span that some of its queries see, block by block.
  func keyBlocks(span: Int, seenBy queries: Range<Int>) -> [Range<Int>] {
    let lead = lead(of: span)
    let visibility = visibilities[span]
    let first = visibility.keys(at: lead + queries.lowerBound).lowerBound / Self.blockKeys * Self.blockKeys
    let last = visibility.keys(at: lead + queries.upperBound - 1).upperBound
    return stride(from: first, to: last, by: Self.blockKeys).map { $0..<min(visibility.keyCount, $0 + Self.blockKeys) }
  }

  /// Some queries of a span with those of the keys that they see; nil where they see none of them.
  func block(span: Int, queries: Range<Int>, keys: Range<Int>) -> AttentionBlock? {
    // Cross-attention has no places in common with its keys; its mask sees all of them.
    let lead = lead(of: span)
    let visibility = visibilities[span]
    let step = PackedMatrix.columnStep
    let first = visibility.keys(at: lead + queries.lowerBound).lowerBound / step * step
    let last = visibility.keys(at: lead + queries.upperBound - 1).upperBound
    let seen = (first..<min(visibility.keyCount, max(first, (last + step - 1) / step * step))).clamped(to: keys)
    guard !seen.isEmpty else { return nil }
    let start = spans[span].queries.lowerBound
    return AttentionBlock(
      queries: start + queries.lowerBound..<start + queries.upperBound, firstPlace: lead + queries.lowerBound, keys: seen,
      isFirst: seen.lowerBound == first, visibility: visibility)
  }

  /// The blocks of a chunk's queries with those of the keys that they see, in order.
  func forEachBlock(of chunk: QueryChunk, keys: Range<Int>, _ body: (AttentionBlock) -> Void) {
    for start in stride(from: chunk.queries.lowerBound, to: chunk.queries.upperBound, by: Self.blockRows) {
      if let block = block(span: chunk.span, queries: start..<min(chunk.queries.upperBound, start + Self.blockRows), keys: keys) { body(block) }
    }
  }

  /// The keys before the place of a span's first query.
  func lead(of span: Int) -> Int { spans[span].keys.count - spans[span].queries.count }

  /// The queries of all spans in chunks that threads share, those first that see the most keys.
  func forwardChunks() -> [QueryChunk] {
    // Where the heads are few beside the threads, several tasks share the queries of a span.
    let pairs = max(1, spans.count * heads)
    let parts = (8 * Threads.count + pairs - 1) / pairs
    return spans.indices.flatMap { span -> [QueryChunk] in
      let count = spans[span].queries.count
      let blocks = (count + Self.blockRows - 1) / Self.blockRows
      // Every chunk packs the keys for itself.
      let fewest = visibilities[span].keyCount > Self.blockKeys ? Self.blockKeys / 4 / Self.blockRows : 1
      let share = min(max(fewest, (blocks + parts - 1) / parts), Self.blockKeys / Self.blockRows) * Self.blockRows
      return stride(from: 0, to: count, by: share).map { QueryChunk(span: span, queries: $0..<min(count, $0 + share)) }.reversed()
    }
  }

  /// All pairs of chunks of queries and blocks of keys that they see, in steps: no two pairs of a step share queries or keys, so that
  /// what a step adds to their gradients is added side by side, and in an order that no thread changes.
  func gradientSteps() -> (steps: [[GradientPair]], chunkCount: Int) {
    var steps: [[GradientPair]] = []
    var chunkCount = 0
    for span in spans.indices {
      let count = spans[span].queries.count
      let keyCount = visibilities[span].keyCount
      let side = (max(count, keyCount) + Self.blockKeys - 1) / Self.blockKeys
      for start in stride(from: 0, to: count, by: Self.blockKeys) {
        let chunk = QueryChunk(span: span, queries: start..<min(count, start + Self.blockKeys))
        let seen = keyBlocks(span: span, seenBy: chunk.queries)
        // Queries that see nothing have a pair all the same, which clears their gradient.
        let blocks = seen.isEmpty ? [0..<0] : seen
        var isFirst = true
        for step in 0..<side {
          // A step is a diagonal, gone on with at the other end.
          let index = (start / Self.blockKeys + step) % side - blocks[0].lowerBound / Self.blockKeys
          guard blocks.indices.contains(index) else { continue }
          if steps.count <= step { steps += Array(repeating: [], count: step + 1 - steps.count) }
          steps[step].append(GradientPair(chunk: chunk, chunkIndex: chunkCount, keys: blocks[index], isFirst: isFirst))
          isFirst = false
        }
        chunkCount += 1
      }
    }
    return (steps, chunkCount)
  }
}
