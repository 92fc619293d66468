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
    var latents = latentNorm(compressed.columns(0..<latentSize))
    var rotaryKeys = rotate(compressed.columns(latentSize..<latentSize + rotarySize), table, headSize: rotarySize)
    var spans = layout.spans
    if let state = pass.state { (latents, rotaryKeys, spans) = extended(latents, rotaryKeys, spans, state) }
    let (k, v) = latentKeysAndValues(expansion(latents, pass), rotaryKeys, heads: options.heads, valueSize: options.valueSize)
    let context = attention(query: q, key: k, value: v, options, spans: spans, mask: layout.mask, dropping: pass.dropping(at: path))
    return output(context, joining: residual, dropout: 0, pass)
  }

  private func queries(_ x: Tensor, _ pass: Pass) -> Tensor {
    switch query {
    case .plain(let layer): layer(x, pass)
    case .compressed(let down, let norm, let up): up(norm(down(x, pass)), pass)
    }
  }

  /// All rows of the sequences, side by side, with the spans into them.
  private func extended(
    _ latents: Tensor, _ rotaryKeys: Tensor, _ spans: [AttentionSpan], _ state: SequenceState
  ) -> (Tensor, Tensor, [AttentionSpan]) {
    let held = state.layer(path) { LatentState(sequences: state.lengths.count) }
      .append(latents: latents, rotaryKeys: rotaryKeys, spans: spans.map(\.keys.first), of: state)
    var at = 0
    let joined = zip(spans, held.rows).map { span, rows in
      defer { at += rows.count }
      return AttentionSpan(queries: span.queries, keys: at..<at + rows.count)
    }
    let rows = Tensor(held.rows.flatMap { ([$0.first] + $0.others).flatMap { $0.map { Int32($0) } } })
    return (gatherRows(held.latents, rows), gatherRows(held.rotaryKeys, rows), joined)
  }
}
