import GraftBatching
import GraftTensors

extension AttentionPrefix {
  /// The keys and values with the prefix before those of every sequence that begins with this pass.
  func prepended(
    toKeys keys: Tensor, values: Tensor, spans: [AttentionSpan], _ pass: Pass
  ) -> (keys: Tensor, values: Tensor, spans: [AttentionSpan]) {
    let begins = spans.indices.map { (pass.cache?.lengths[$0] ?? 0) == 0 }
    guard begins.contains(true) else { return (keys, values, spans) }
    let prefix = keysAndValues(pass)
    let count = virtualTokenCount
    let starts = zip(spans, begins).compactMap { span, begins in begins ? span.keys.lowerBound : nil }
    let moved = zip(spans, begins).map { span, begins in
      let start = span.keys.lowerBound + starts.count { $0 < span.keys.lowerBound } * count
      return AttentionSpan(queries: span.queries, keys: start..<start + span.keys.count + (begins ? count : 0))
    }
    return (insertRows(prefix.keys, before: starts, in: keys), insertRows(prefix.values, before: starts, in: values), moved)
  }
}

extension TransformerStack {
  /// A decoder's input as its positions count it: after the virtual tokens that its own attention has keys and values of.
  public func afterPrefix(_ input: SequenceInput, _ pass: Pass) -> SequenceInput {
    guard let count = firstAttention?.prefix?.virtualTokenCount else { return input }
    pass.cache?.reserve(leadingRows: count)
    var moved = input
    moved.positions = input.positions.map { $0 + Int32(count) }
    return moved
  }
}
