import GraftTensors

/// Multi-head attention with a residual: the projections are given to it, so that families differ only in names and options.
public final class Attention {
  public let path: String
  public let query: Linear, key: Linear, value: Linear, output: Linear
  public let heads: Int, keyValueHeads: Int, headSize: Int
  /// Norms of every query and key head, before rotation (Qwen3).
  public let queryNorm: Norm?, keyNorm: Norm?
  public let isRotary: Bool
  /// How many places back a query sees, where limited.
  public let window: Int?
  /// Multiplied into the scores; one over the root of the head size where nil.
  public let scale: Float?
  /// The layer's number, which the cache keeps keys and values under.
  public let layer: Int

  public init(
    _ scope: Scope, layer: Int, query: Linear, key: Linear, value: Linear, output: Linear, heads: Int, keyValueHeads: Int, headSize: Int,
    queryNorm: Norm? = nil, keyNorm: Norm? = nil, isRotary: Bool = true, window: Int? = nil, scale: Float? = nil
  ) {
    path = scope.path
    (self.query, self.key, self.value, self.output) = (query, key, value, output)
    (self.heads, self.keyValueHeads, self.headSize) = (heads, keyValueHeads, headSize)
    (self.queryNorm, self.keyNorm, self.isRotary, self.window, self.scale, self.layer) = (queryNorm, keyNorm, isRotary, window, scale, layer)
    scope.catalog.add(Site(path: path, role: nil, module: .attention(self)))
  }

  /// - Parameters:
  ///   - x: `[rows, hidden]`, normed.
  ///   - residual: `[rows, hidden]`, added to the result.
  /// - Returns: `[rows, hidden]`.
  public func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, _ pass: Pass, addingTo residual: consuming Tensor? = nil) -> Tensor {
    var q = query(x, pass), k = key(x, pass), v = value(x, pass)
    if let queryNorm { q = queryNorm(q) }
    if let keyNorm { k = keyNorm(k) }
    if isRotary, let rotary = layout.rotary {
      q = rotate(q, rotary, headSize: headSize)
      k = rotate(k, rotary, headSize: headSize)
    }
    var spans = layout.spans
    if let cache = pass.cache { (k, v, spans) = cache.extend(layer: layer, keys: k, values: v, spans: spans) }
    let context = attention(
      query: q, key: k, value: v, heads: heads, keyValueHeads: keyValueHeads, spans: spans, mask: AttentionMask(layout.mask, window: window),
      scale: scale)
    return output(context, pass, addingTo: residual)
  }
}
