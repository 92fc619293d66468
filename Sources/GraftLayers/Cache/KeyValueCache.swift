import GraftTensors

/// The keys and values of the tokens so far, for each layer and sequence, so that a new token costs one row.
///
/// Every sequence has room for `capacity` rows of each layer's one buffer; nothing moves as they fill.
public final class KeyValueCache {
  public private(set) var capacity: Int
  /// How many tokens of each sequence it holds.
  public private(set) var lengths: [Int]
  /// How many rows stand before each sequence's first token: virtual tokens, or a prefix.
  public private(set) var leadingRows = 0
  private var layers: [Int: (keys: Tensor, values: Tensor)] = [:]
  /// Keys and values of an encoder's output, which never grow: each sequence has its rows of them.
  private var encodedLayers: [Int: (keys: Tensor, values: Tensor)] = [:]
  private(set) var encodedSpans: [Range<Int>] = []

  /// - Parameter capacity: the most tokens of a sequence, prompt included.
  public init(sequences: Int, capacity: Int) {
    self.capacity = capacity
    lengths = Array(repeating: 0, count: sequences)
  }

  private var rowCapacity: Int { leadingRows + capacity }

  /// Makes room before every sequence, once and before anything is held.
  func reserve(leadingRows count: Int) {
    precondition(count == leadingRows || layers.isEmpty, "the cache has no room for \(count) rows before its sequences")
    leadingRows = count
  }

  /// Appends a layer's new rows, one span a sequence, and returns the buffers with the spans into them.
  func extend(layer: Int, keys: Tensor, values: Tensor, spans: [AttentionSpan]) -> (Tensor, Tensor, [AttentionSpan]) {
    precondition(spans.count == lengths.count, "\(spans.count) spans for \(lengths.count) cached sequences")
    let buffers = layers[layer] ?? (room(for: keys), room(for: values))
    layers[layer] = buffers
    let extended = spans.enumerated().map { sequence, span in
      let start = sequence * rowCapacity
      let at = start + (lengths[sequence] == 0 ? 0 : leadingRows + lengths[sequence])
      precondition(at + span.keys.count <= start + rowCapacity, "the cache holds \(capacity) tokens")
      buffers.keys.overwriteRows(from: at, with: keys.rows(span.keys))
      buffers.values.overwriteRows(from: at, with: values.rows(span.keys))
      return AttentionSpan(queries: span.queries, keys: start..<at + span.keys.count)
    }
    return (buffers.keys, buffers.values, extended)
  }

  /// The rows of a cache of one sequence that it fills, whether or not it has been advanced over them.
  /// - Returns: `[capacity, width]` each; nil for a layer that keeps none.
  package func held(layer: Int) -> (keys: Tensor, values: Tensor)? { layers[layer] }

  /// A layer's keys and values of the encoder's output, projected the first time they are asked for.
  func encoded(layer: Int, spans: [Range<Int>], _ project: () -> (Tensor, Tensor)) -> (Tensor, Tensor) {
    if encodedSpans.isEmpty { encodedSpans = spans }
    if let known = encodedLayers[layer] { return known }
    let (keys, values) = project()
    encodedLayers[layer] = (keys, values)
    return (keys, values)
  }

  /// Makes the rows that every layer has appended part of their sequences.
  public func advance(by counts: [Int]) {
    for (sequence, count) in counts.enumerated() { lengths[sequence] += count }
  }

  /// Makes room for sequences of `count` tokens; what it holds stays.
  public func grow(to count: Int) {
    guard count > capacity else { return }
    let oldRows = rowCapacity
    capacity = count
    replaceLayers { moved($0, from: oldRows) }
  }

  /// Forgets all but the first `count` tokens of every sequence, so that others can follow them.
  public func truncate(to count: Int) { lengths = lengths.map { min($0, count) } }

  /// Keeps only the given sequences, in the given order, as beam search and finished prompts need.
  public func select(_ sequences: [Int]) {
    // Where sequences only leave, the others move up in the same memory.
    let isThinning = zip(sequences, sequences.dropFirst()).allSatisfy { $0 < $1 }
    replaceLayers { isThinning ? thinned($0, sequences) : picked($0, sequences) }
    lengths = sequences.map { lengths[$0] }
    // Sequences that continue the same source share its rows.
    if !encodedSpans.isEmpty { encodedSpans = sequences.map { encodedSpans[$0] } }
  }

  /// One layer after another, so that no more than one of them is there twice.
  private func replaceLayers(_ replacement: (Tensor) -> Tensor) {
    for layer in layers.keys.sorted() {
      guard let (keys, values) = layers.removeValue(forKey: layer) else { continue }
      layers[layer] = (replacement(keys), replacement(values))
    }
  }

  private func room(for rows: Tensor) -> Tensor { .zeros([lengths.count * rowCapacity, rows.shape.columns]) }

  /// The rows of every sequence, of which a buffer had room for so many, in one with the present room.
  private func moved(_ buffer: Tensor, from oldRows: Int) -> Tensor {
    let larger = room(for: buffer)
    for (sequence, length) in lengths.enumerated() where length > 0 {
      let start = sequence * oldRows
      larger.overwriteRows(from: sequence * rowCapacity, with: buffer.rows(start..<start + leadingRows + length))
    }
    return larger
  }

  /// A buffer with the rows of some sequences at its beginning, in the order that they had.
  private func thinned(_ buffer: Tensor, _ sequences: [Int]) -> Tensor {
    for (place, sequence) in sequences.enumerated() where place < sequence {
      let start = sequence * rowCapacity
      buffer.overwriteRows(from: place * rowCapacity, with: buffer.rows(start..<start + leadingRows + lengths[sequence]))
    }
    return buffer
  }

  private func picked(_ buffer: Tensor, _ sequences: [Int]) -> Tensor {
    concatenateRows(sequences.map { buffer.rows($0 * rowCapacity..<($0 + 1) * rowCapacity) })
  }
}
