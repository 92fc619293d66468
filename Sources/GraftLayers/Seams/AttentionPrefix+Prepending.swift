import GraftBatching
import GraftTensors

extension AttentionPrefix {
  /// The keys and values with a copy of the prefix before those of every sequence that begins with this pass.
  ///
  /// In training each copy's gradient is written apart and added up by `insertRows`.
  /// - Parameters:
  ///   - spans: sequences whose keys lie side by side.
  ///   - shares: each sequence's factors, where they differ.
  func prepended(
    toKeys keys: Tensor, values: Tensor, spans: [AttentionSpan], begins: [Bool], shares: (keys: Tensor, values: Tensor)?, _ pass: Pass
  ) -> (keys: Tensor, values: Tensor, spans: [AttentionSpan]) {
    let prefix = keysAndValues(pass)
    let count = virtualTokenCount
    let starts = zip(spans, begins).compactMap { span, begins in begins ? span.keys.first.lowerBound : nil }
    let moved = zip(spans, begins).map { span, begins in
      let start = span.keys.first.lowerBound + starts.count { $0 < span.keys.first.lowerBound } * count
      return AttentionSpan(queries: span.queries, keys: start..<start + span.keys.count + (begins ? count : 0))
    }
    let (longKeys, longValues) = (insertRows(prefix.keys, before: starts, in: keys), insertRows(prefix.values, before: starts, in: values))
    guard let shares else { return (longKeys, longValues, moved) }
    // The first factor is that of the tokens' own rows.
    var factors = [Int32](repeating: 0, count: longKeys.shape.rows)
    for (index, (span, begins)) in zip(moved, begins).enumerated() where begins {
      for row in span.keys.first.prefix(count) { factors[row] = Int32(index + 1) }
    }
    func scaled(_ rows: Tensor, _ shares: Tensor) -> Tensor {
      scaleRows(rows, by: gatherRows(concatenateRows([Tensor(repeating: 1, shape: [1, 1]), shares]), Tensor(factors)))
    }
    return (scaled(longKeys, shares.keys), scaled(longValues, shares.values), moved)
  }
}

extension TransformerStack {
  /// A decoder's input as its positions count it: after the virtual tokens that its own attention has keys and values of.
  public func afterPrefix(_ input: SequenceInput, _ pass: Pass) -> SequenceInput {
    guard let count = firstAttention?.prefix?.virtualTokenCount else { return input }
    pass.state?.reserve(leadingRows: count)
    var moved = input
    moved.positions = input.positions.map { $0 + Int32(count) }
    return moved
  }
}
