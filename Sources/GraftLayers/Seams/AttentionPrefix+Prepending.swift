import GraftBatching
import GraftTensors

extension AttentionPrefix {
  /// The keys and values with a copy of the prefix before those of every sequence that begins with this pass.
  ///
  /// In training each copy's gradient is written apart and added up by `insertRows`.
  /// - Parameter spans: sequences whose keys lie side by side.
  func prepended(
    toKeys keys: Tensor, values: Tensor, spans: [AttentionSpan], begins: [Bool], _ pass: Pass
  ) -> (keys: Tensor, values: Tensor, spans: [AttentionSpan]) {
    let prefix = keysAndValues(pass)
    let count = virtualTokenCount
    let starts = zip(spans, begins).compactMap { span, begins in begins ? span.keys.first.lowerBound : nil }
    let moved = zip(spans, begins).map { span, begins in
      let start = span.keys.first.lowerBound + starts.count { $0 < span.keys.first.lowerBound } * count
      return AttentionSpan(queries: span.queries, keys: start..<start + span.keys.count + (begins ? count : 0))
    }
    return (insertRows(prefix.keys, before: starts, in: keys), insertRows(prefix.values, before: starts, in: values), moved)
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
