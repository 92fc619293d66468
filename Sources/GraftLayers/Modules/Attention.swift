import GraftTensors

/// Multi-head attention with a residual: the projections are given to it, so that families differ only in names and options.
public final class Attention {
  /// What makes queries, keys and values: three layers, or one whose columns are split in that order.
  public enum Projection {
    case separate(query: Linear, key: Linear, value: Linear)
    case fused(Linear)
  }

  /// The stack that it is in, and what it attends to there.
  public enum Place: Sendable {
    /// The only stack of a decoder or of an encoder, to itself.
    case alone
    /// A half of an encoder-decoder, to itself.
    case encoder, decoder
    /// The decoder's half, to what the encoder made.
    case source
  }

  public let path: String
  public let place: Place
  public let projection: Projection, output: Linear
  public let heads: Int, keyValueHeads: Int, headSize: Int
  /// Norms of every query and key head, before rotation (Qwen3).
  public let queryNorm: Norm?, keyNorm: Norm?
  public let isRotary: Bool
  /// How many places back a query sees, where limited.
  public let window: Int?
  /// Multiplied into the scores; one over the root of the head size where nil.
  public let scale: Float?
  /// The probabilities with which elements of the output, and of what queries give to keys, are dropped in training.
  public let dropout: Float, scoreDropout: Float
  /// The layer's number, which the cache keeps keys and values under.
  public let layer: Int
  /// Keys and values before those of every sequence.
  public var prefix: (any AttentionPrefix)?
  /// A second attention beside this one.
  public var supplement: (any AttentionSupplement)?

  public init(
    _ scope: Scope, layer: Int, place: Place = .alone, projection: Projection, output: Linear, heads: Int, keyValueHeads: Int,
    headSize: Int, queryNorm: Norm? = nil, keyNorm: Norm? = nil, isRotary: Bool = true, window: Int? = nil, scale: Float? = nil,
    dropout: Float = 0, scoreDropout: Float = 0
  ) {
    path = scope.path
    self.place = place
    (self.projection, self.output, self.dropout, self.scoreDropout) = (projection, output, dropout, scoreDropout)
    (self.heads, self.keyValueHeads, self.headSize) = (heads, keyValueHeads, headSize)
    (self.queryNorm, self.keyNorm, self.isRotary) = (queryNorm, keyNorm, isRotary)
    (self.window, self.scale, self.layer) = (window, scale, layer)
    scope.catalog.add(Site(path: path, role: nil, module: .attention(self)))
  }

  public convenience init(
    _ scope: Scope, layer: Int, place: Place = .alone, query: Linear, key: Linear, value: Linear, output: Linear, heads: Int,
    keyValueHeads: Int, headSize: Int, queryNorm: Norm? = nil, keyNorm: Norm? = nil, isRotary: Bool = true, window: Int? = nil,
    scale: Float? = nil, dropout: Float = 0, scoreDropout: Float = 0
  ) {
    self.init(
      scope, layer: layer, place: place, projection: .separate(query: query, key: key, value: value), output: output, heads: heads,
      keyValueHeads: keyValueHeads, headSize: headSize, queryNorm: queryNorm, keyNorm: keyNorm, isRotary: isRotary, window: window,
      scale: scale, dropout: dropout, scoreDropout: scoreDropout)
  }

  /// Attention of a sequence to itself.
  /// - Parameters:
  ///   - x: `[rows, hidden]`, normed.
  ///   - residual: `[rows, hidden]`, added to the result.
  /// - Returns: `[rows, hidden]`.
  public func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, _ pass: Pass, addingTo residual: consuming Tensor? = nil) -> Tensor {
    var (q, k, v) = projected(x, pass)
    if let queryNorm { q = queryNorm(q) }
    if let keyNorm { k = keyNorm(k) }
    if isRotary, let rotary = layout.rotary {
      q = rotate(consume q, rotary, headSize: headSize)
      k = rotate(consume k, rotary, headSize: headSize)
    }
    var spans = layout.spans
    if let state = pass.state {
      (k, v, spans) = keyValueState(in: state).append(keys: k, values: v, spans: spans, behind: prefix, of: state, pass)
    } else if let prefix {
      (k, v, spans) = prefix.prepended(toKeys: k, values: v, spans: spans, begins: spans.map { _ in true }, pass)
    }
    var context = attention(
      query: q, key: k, value: v, heads: heads, keyValueHeads: keyValueHeads, spans: spans,
      mask: AttentionMask(layout.mask, window: window), scale: scale, bias: layout.bias,
      dropout: pass.attentionDropout(scoreDropout, at: path))
    if let supplement { context = supplement(q, addingTo: context, of: self, layout, pass) }
    return output(context, joining: residual, dropout: dropout, pass)
  }

  /// Attention of a decoder's sequence to what the encoder made of its source; a state keeps the source's keys and values.
  /// - Parameters: as above.
  /// - Precondition: separate projections, and as many documents on both sides.
  public func callAsFunction(
    _ x: Tensor, over source: EncoderStates, _ layout: SequenceLayout, _ pass: Pass, addingTo residual: consuming Tensor? = nil
  ) -> Tensor {
    guard case .separate(let query, let key, let value) = projection else {
      preconditionFailure("\(path): cross-attention with one projection")
    }
    func encoded() -> EncodedState {
      EncodedState(keys: key(source.states, pass), values: value(source.states, pass), spans: source.spans)
    }
    let encoded = pass.state?.layer(path, encoded) ?? encoded()
    let context = attention(
      query: query(x, pass), key: encoded.keys, value: encoded.values, heads: heads, keyValueHeads: keyValueHeads,
      spans: zip(layout.spans, encoded.spans).map { AttentionSpan(queries: $0.queries, keys: $1) }, mask: .bidirectional, scale: scale,
      dropout: pass.attentionDropout(scoreDropout, at: path))
    return output(context, joining: residual, dropout: dropout, pass)
  }

  /// Keys and values of earlier tokens: all, or those that the window sees.
  private func keyValueState(in state: SequenceState) -> KeyValueState {
    state.layer(path) { KeyValueState(sequences: state.lengths.count, window: state.keepsAllRows ? nil : window) }
  }

  private func projected(_ x: Tensor, _ pass: Pass) -> (query: Tensor, key: Tensor, value: Tensor) {
    switch projection {
    case .separate(let query, let key, let value): return (query(x, pass), key(x, pass), value(x, pass))
    case .fused(let layer):
      let joined = layer(x, pass)
      let queries = heads * headSize
      let keys = keyValueHeads * headSize
      return (
        joined.columns(0..<queries), joined.columns(queries..<queries + keys), joined.columns(queries + keys..<joined.shape.columns)
      )
    }
  }
}
