import GraftTensors

/// The key-value cache of one attention: all rows, or those that its window still sees.
public final class KeyValueState: LayerState {
  private var rows: TokenRows
  private let window: Int?

  /// The cache before the first token of so many sequences.
  /// - Parameters:
  ///   - window: the number of keys that a query sees, itself included, where limited.
  ///   - format: the floating-point format that rows are kept in.
  public init(sequences: Int, window: Int? = nil, format: ElementFormat = .float32) {
    rows = TokenRows(sequences: sequences, window: window, format: format)
    self.window = window
  }

  public var byteCount: Int { rows.byteCount }

  /// The memory that attention reads: rows of keys and values, with the spans into them.
  typealias Read = (keys: Tensor, values: Tensor, spans: [AttentionSpan])

  /// Appends the new rows of every sequence, one span each, and returns what their queries read.
  ///
  /// - Parameters:
  ///   - keys: `[rows, keyWidth]`, those of virtual tokens included.
  ///   - values: `[rows, valueWidth]`.
  ///   - prefix: the keys and values before those of sequences that begin with this pass.
  ///   - shares: the factors of these, where each sequence has its own.
  func append(
    keys: Tensor, values: Tensor, spans: [AttentionSpan], behind prefix: (any AttentionPrefix)?, shares: (keys: Tensor, values: Tensor)? = nil,
    of state: SequenceState, _ pass: Pass
  ) -> Read {
    let starts = state.rowCounts
    precondition(spans.count == starts.count, "\(spans.count) spans for \(starts.count) sequences")
    let holds = rows.truncate(to: starts)
    precondition(holds, "a pass over tokens that have left the window")
    var new: Read = (keys, values, spans)
    if let prefix, starts.contains(0) {
      if window == nil, shares == nil {
        begin(starts, with: prefix, pass)
      } else {
        new = prefix.prepended(toKeys: keys, values: values, spans: spans, begins: starts.map { $0 == 0 }, shares: shares, pass)
      }
    }
    let expected = state.leadingRows + state.expectedLength
    guard let largest = rows.largestCount, new.spans.contains(where: { $0.keys.count > TokenRows.slack }) else {
      rows.append([new.keys, new.values], new.spans.map(\.keys.first), expecting: expected)
      defer { rows.dropUnseen() }
      return (rows.buffers[0], rows.buffers[1], spans.indices.map { AttentionSpan(queries: spans[$0].queries, keys: rows.keys($0)) })
    }
    let read = joined(new)
    let kept = new.spans.enumerated().map { index, span in
      let rest = span.keys.first.suffix(largest)
      rows.skip(span.keys.count - rest.count, of: index)
      return rest
    }
    rows.append([new.keys, new.values], kept, expecting: expected)
    rows.dropUnseen()
    return read
  }

  /// Lets sequences without rows begin with a prefix, whose rows they share.
  private func begin(_ starts: [Int], with prefix: any AttentionPrefix, _ pass: Pass) {
    if rows.pinned.isEmpty {
      let (keys, values) = prefix.keysAndValues(pass)
      _ = rows.pin([keys, values])
    }
    for (index, start) in starts.enumerated() where start == 0 { rows.begin(index, with: rows.pinned) }
  }

  /// The rows that are held with the new ones behind them, for passes of more rows than a window keeps.
  private func joined(_ new: Read) -> Read {
    guard rows.sequences.contains(where: { $0.count > 0 }) else { return new }
    var at = 0
    let spans = new.spans.enumerated().map { index, span in
      let count = rows.sequences[index].count + span.keys.count
      defer { at += count }
      return AttentionSpan(queries: span.queries, keys: at..<at + count)
    }
    func join(_ buffer: Tensor, _ rest: Tensor) -> Tensor {
      let joined = Tensor(uninitialized: [at, buffer.shape.columns], dtype: buffer.dtype)
      var place = 0
      for (index, span) in new.spans.enumerated() {
        for part in rows.sequences[index].runs.map({ buffer.rows($0) }) + [rest.rows(span.keys.first)] {
          joined.overwriteRows(from: place, with: part)
          place += part.shape.rows
        }
      }
      return joined
    }
    return (join(rows.buffers[0], new.keys), join(rows.buffers[1], new.values), spans)
  }

  /// The keys and values that it holds of a sequence.
  /// - Returns: `[rows, width]` each.
  package func held(of sequence: Int) -> (keys: Tensor, values: Tensor) {
    func held(_ buffer: Tensor) -> Tensor { concatenateRows(rows.sequences[sequence].runs.map { buffer.rows($0) }) }
    return (held(rows.buffers[0]), held(rows.buffers[1]))
  }

  public func select(_ sequences: [Int]) { rows.select(sequences) }

  public func truncate(to counts: [Int]) -> Bool { rows.truncate(to: counts) }
}
