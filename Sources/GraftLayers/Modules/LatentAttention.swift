import GraftTensors

/// Multi-head latent attention: keys and values are made of one compressed row a token, which is all that is kept of it beside a rotary
/// key for all heads (DeepSeek-AI 2024, "DeepSeek-V2", section 2.1).
public final class LatentAttention: Sublayer {
  /// The layers from hidden states to queries.
  public enum Query {
    /// One layer, `[heads * headSize, hidden]`.
    case plain(Linear)
    /// Down to a latent row, its norm, and up.
    case compressed(down: Linear, norm: Norm, up: Linear)
  }

  /// The module's path, such as `model.layers.0.self_attn`.
  public let path: String
  /// Heads and sizes: `headSize` is a key's, its rotary part included.
  public let options: AttentionOptions
  /// The columns of a head that are rotated: the last ones.
  public let rotarySize: Int
  /// The layers from hidden states to queries.
  public let query: Query
  /// From hidden states to the latent row and the rotary key.
  public let compression: Linear
  /// The norm of the latent row.
  public let latentNorm: Norm
  /// From the latent row to all heads' keys and values.
  public let expansion: Linear
  /// The layer of the output, `[hidden, heads * valueSize]`.
  public let output: Linear

  /// The attention at the path of `scope`.
  public init(
    _ scope: Scope, _ options: AttentionOptions, rotarySize: Int, query: Query, compression: Linear, latentNorm: Norm, expansion: Linear,
    output: Linear
  ) {
    path = scope.path
    self.options = options
    self.rotarySize = rotarySize
    self.query = query
    self.compression = compression
    self.latentNorm = latentNorm
    self.expansion = expansion
    self.output = output
  }

  public var last: Linear? { output }

  public func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, _ pass: Pass, addingTo residual: consuming Tensor? = nil) -> Tensor {
    let table = layout.rotary[0]
    let q = rotate(queries(x, pass), table, headSize: options.headSize, from: options.headSize - rotarySize)
    let compressed = compression(x, pass)
    let latentSize = compressed.shape.columns - rotarySize
    let latents = latentNorm(compressed.columns(0..<latentSize))
    let rotaryKeys = rotate(compressed.columns(latentSize..<latentSize + rotarySize), table, headSize: rotarySize)
    let context = attended(q, latents, rotaryKeys, layout, pass)
    return output(context, joining: residual, dropout: 0, pass)
  }

  /// - Returns: `[rows, heads * valueSize]`.
  private func attended(_ q: Tensor, _ latents: Tensor, _ rotaryKeys: Tensor, _ layout: SequenceLayout, _ pass: Pass) -> Tensor {
    guard let state = pass.state else { return expanded(q, latents, rotaryKeys, layout.spans, layout, pass) }
    let held = state.layer(path) { LatentState(sequences: state.lengths.count, format: state.rowFormat) }
      .append(latents: latents, rotaryKeys: rotaryKeys, spans: layout.spans.map(\.keys.first), of: state)
    let spans = zip(layout.spans, held.rows).map { AttentionSpan(queries: $0.queries, keys: $1) }
    // Rows that are all new are expanded once, for all queries; those that were there before would be at every token.
    guard spans.contains(where: { $0.keys.count > $0.queries.count }) else { return expanded(q, latents, rotaryKeys, layout.spans, layout, pass) }
    guard isAbsorbable, layout.mask == .causal else { return gathered(q, held, spans, layout, pass) }
    let term = expansion.adapter?.lowRankTerm.map { (a: $0.a, b: $0.b, scale: $0.scale) }
    let absorbed = AbsorbedAttention(options, expansion: expansion.weight.matrix, adding: term, rotarySize: rotarySize)
    return absorbed(q, latents: held.latents, rotaryKeys: held.rotaryKeys, spans: spans)
  }

  /// True where the expansion is a matrix, and what an adapter adds to it another.
  private var isAbsorbable: Bool {
    expansion.bias == nil && expansion.layout == .outputByInput && (expansion.adapter == nil || expansion.adapter?.lowRankTerm != nil)
  }

  /// Attention to the keys and values that are made of rows side by side.
  private func expanded(
    _ q: Tensor, _ latents: Tensor, _ rotaryKeys: Tensor, _ spans: [AttentionSpan], _ layout: SequenceLayout, _ pass: Pass
  ) -> Tensor {
    let (k, v) = latentKeysAndValues(expansion(latents, pass), rotaryKeys, heads: options.heads, valueSize: options.valueSize)
    return attention(query: q, key: k, value: v, options, spans: spans, mask: layout.mask, dropping: pass.dropping(at: path))
  }

  private func queries(_ x: Tensor, _ pass: Pass) -> Tensor {
    switch query {
    case .plain(let layer): layer(x, pass)
    case .compressed(let down, let norm, let up): up(norm(down(x, pass)), pass)
    }
  }

  /// The same of all rows that are held, brought together.
  private func gathered(_ q: Tensor, _ held: LatentState.Held, _ spans: [AttentionSpan], _ layout: SequenceLayout, _ pass: Pass) -> Tensor {
    var at = 0
    let joined = spans.map { span in
      defer { at += span.keys.count }
      return AttentionSpan(queries: span.queries, keys: at..<at + span.keys.count)
    }
    let rows = Tensor(held.rows.flatMap { ([$0.first] + $0.others).flatMap { $0.map { Int32($0) } } })
    return expanded(q, gatherRows(held.latents, rows), gatherRows(held.rotaryKeys, rows), joined, layout, pass)
  }
}
