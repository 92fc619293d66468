/// The rows of one document: attention never crosses from one span to another.
///
/// Queries are the last rows of their keys: query `i` stands at key `keys.count - queries.count + i`, which is how cached
/// keys and prefixes come before the queries.
public struct AttentionSpan: Sendable, Hashable {
  /// Rows of the query tensor.
  public var queries: Range<Int>
  /// Rows of the key and value tensors.
  public var keys: KeyRows

  /// - Parameters:
  ///   - queries: the rows of the queries.
  ///   - keys: the rows of the keys, those of the queries last.
  public init(queries: Range<Int>, keys: KeyRows) {
    self.queries = queries
    self.keys = keys
  }

  /// - Parameters:
  ///   - queries: the rows of the queries.
  ///   - keys: the rows of the keys, in one run.
  public init(queries: Range<Int>, keys: Range<Int>) { self.init(queries: queries, keys: KeyRows(keys)) }

  /// The span of a document whose queries and keys are the same rows.
  public init(_ rows: Range<Int>) { self.init(queries: rows, keys: rows) }
}

/// Scaled dot-product attention (Vaswani et al. 2017, eq. 1), a block of queries with a block of keys at a time (Dao 2023,
/// "FlashAttention-2", algorithms 1 and 2).
///
/// `[queries, keys]` is never in memory: the softmax goes on from block to block with the largest score and the sum of a row, and
/// the gradient computes the scores again from the logarithms of the sums. Heads are strides inside the operation: nothing is permuted.
///
/// - Parameters:
///   - query: `[query rows, heads * headSize]`.
///   - key: `[key rows, keyValueHeads * headSize]`, of any floating-point type where no gradient goes to it.
///   - value: `[key rows, keyValueHeads * valueSize]`, likewise.
///   - options: heads, sizes, and what becomes of the scores.
///   - spans: rows outside every span, such as padding, get zeros and give no gradient.
///   - bias: added to the scaled and capped scores.
///   - sinks: `[heads]`, a score of each head that takes its share of every row's weights and has no value
///     (Xiao et al. 2024, "Efficient Streaming Language Models with Attention Sinks", section 3.3; gpt-oss).
///   - dropping: the random stream that dropout of the weights draws from, again for the gradient; nil for no dropout.
/// - Returns: `[query rows, heads * valueSize]`.
public func attention(
  query: Tensor, key: Tensor, value: Tensor, _ options: AttentionOptions, spans: [AttentionSpan], mask: AttentionMask, bias: DistanceBias? = nil,
  sinks: Tensor? = nil, dropping: RandomStream? = nil
) -> Tensor {
  let problem = AttentionProblem(query, key, value, options, spans, mask, bias, sinks, dropping)
  let out = problem.rowsOfQueries(options.contextWidth)
  let logSumExps = Tensor(uninitialized: [options.heads, query.shape[0]])
  problem.forward(out, logSumExps)
  let (savedQuery, savedKey, savedValue) = (Saved(query), Saved(key), Saved(value))
  let (savedBias, savedSinks) = (bias.map { Saved($0.values) }, sinks.map { Saved($0) })
  let (savedOut, savedSums) = (Saved(out), Saved(logSumExps, exactly: true))
  return recorded("attention", out, from: query.slot, key.slot, value.slot, bias?.values.slot, sinks?.slot) { gradient, tape in
    let problem = AttentionProblem(
      savedQuery.tensor, savedKey.tensor, savedValue.tensor, options, spans, mask, savedBias.map { DistanceBias($0.tensor) }, savedSinks?.tensor,
      dropping)
    AttentionGradient(problem, gradient, savedOut.tensor, savedSums.tensor, tape).run()
  }
}
