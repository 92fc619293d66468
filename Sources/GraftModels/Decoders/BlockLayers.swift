import GraftLayers
import GraftTensors

/// The layers of one block of a rotary decoder, under the names that Llama gave them.
///
/// A family's file builds its block of them, in the order in which its checkpoints list their tensors.
public struct BlockLayers {
  /// The scope of the block, such as `model.layers.0`.
  public let scope: Scope
  /// The number of the block, counted from 0.
  public let layer: Int
  /// The sizes and options of the model.
  public let configuration: RotaryDecoder.Configuration
  /// The resolved `config.json`, for keys that only some families have.
  public let config: ArchitectureConfiguration

  /// The norms of queries and keys before their rotation.
  public enum HeadNorms {
    /// None.
    case none
    /// Of every head (Qwen3).
    case eachHead
    /// Of all heads together (OLMo 2).
    case allHeads
  }

  /// The norm of a name.
  /// - Parameter width: the hidden size where nil.
  public func norm(_ name: String, width: Int? = nil) throws -> Norm {
    try norm(scope / name, width: width ?? configuration.hiddenSize)
  }

  private func norm(_ scope: Scope, width: Int) throws -> Norm {
    try Norm(scope, width: width, epsilon: configuration.epsilon, kind: .rms(offset: configuration.normOffset))
  }

  /// A linear layer.
  public func linear(_ scope: Scope, in inputs: Int, out outputs: Int, bias: Bool = false, _ role: Role) throws -> Linear {
    try Linear(scope, in: inputs, out: outputs, bias: bias, role: role, initializer: configuration.initializer)
  }

  /// The form of the layer's attention.
  public var options: AttentionOptions {
    let c = configuration
    return AttentionOptions(
      heads: c.heads, keyValueHeads: c.keyValueHeads, headSize: c.headSize, scale: c.scoreScale, softcap: c.scoreSoftcap, window: c.windows[layer],
      dropout: c.scoreDropout)
  }

  /// `self_attn` with a projection of queries, one of keys and one of values.
  /// - Parameters:
  ///   - rotary: the index of the layer's rotary positions.
  ///   - hasSinks: true for a learned score of each head, `sinks`, that takes its share of every row's weights.
  public func attention(
    _ options: AttentionOptions? = nil, norms: HeadNorms = .none, rotary: Int = 0, hasSinks: Bool = false
  ) throws -> Attention {
    let c = configuration
    let options = options ?? self.options
    let attn = scope / "self_attn"
    let query = try linear(attn / "q_proj", in: c.hiddenSize, out: options.queryWidth, bias: c.hasInputBias, .query)
    let key = try linear(attn / "k_proj", in: c.hiddenSize, out: options.keyWidth, bias: c.hasInputBias, .key)
    let value = try linear(attn / "v_proj", in: c.hiddenSize, out: options.valueWidth, bias: c.hasInputBias, .value)
    let output = try linear(attn / "o_proj", in: options.contextWidth, out: c.hiddenSize, bias: c.hasOutputBias, .attentionOutput)
    func headNorm(_ name: String, _ heads: Int) throws -> Norm? {
      switch norms {
      case .none: nil
      case .eachHead: try norm(attn / name, width: options.headSize)
      case .allHeads: try norm(attn / name, width: heads * options.headSize)
      }
    }
    return Attention(
      attn, options, .separate(query: query, key: key, value: value), output: output,
      queryNorm: try headNorm("q_norm", options.heads), keyNorm: try headNorm("k_norm", options.keyValueHeads), rotary: rotary,
      sinks: hasSinks ? try attn.parameter("sinks", [options.heads], c.initializer) : nil, dropout: c.residualDropout)
  }

  /// `self_attn` with one projection of queries, keys and values.
  public func fusedAttention(_ name: String = "qkv_proj") throws -> Attention {
    let c = configuration
    let options = options
    let attn = scope / "self_attn"
    let width = options.queryWidth + options.keyWidth + options.valueWidth
    let projection = try linear(attn / name, in: c.hiddenSize, out: width, bias: c.hasInputBias, .fusedAttention)
    let output = try linear(attn / "o_proj", in: options.contextWidth, out: c.hiddenSize, bias: c.hasOutputBias, .attentionOutput)
    return Attention(attn, options, .fused(projection), output: output, rotary: 0, dropout: c.residualDropout)
  }

  /// A feed-forward with a projection of the gate and one of what it lets through.
  /// - Parameters:
  ///   - mlp: the scope of its layers; `mlp` where nil.
  ///   - size: the intermediate size; the configuration's where nil.
  public func feedForward(in mlp: Scope? = nil, size: Int? = nil) throws -> FeedForward {
    let c = configuration
    let mlp = mlp ?? scope / "mlp"
    let size = size ?? c.intermediateSize
    let gate = try linear(mlp / "gate_proj", in: c.hiddenSize, out: size, bias: c.hasFeedForwardBias, .gate)
    let up = try linear(mlp / "up_proj", in: c.hiddenSize, out: size, bias: c.hasFeedForwardBias, .up)
    return try feedForward(.gated(gate: gate, up: up), in: mlp, size: size)
  }

  /// `mlp` with one projection of both.
  public func fusedFeedForward() throws -> FeedForward {
    let c = configuration
    let mlp = scope / "mlp"
    let both = try linear(mlp / "gate_up_proj", in: c.hiddenSize, out: 2 * c.intermediateSize, bias: c.hasFeedForwardBias, .fusedGateUp)
    return try feedForward(.fused(both), in: mlp, size: c.intermediateSize)
  }

  private func feedForward(_ projection: FeedForward.Projection, in mlp: Scope, size: Int) throws -> FeedForward {
    let c = configuration
    let down = try linear(mlp / "down_proj", in: size, out: c.hiddenSize, bias: c.hasFeedForwardBias, .down)
    let activationName = if case .fused = projection { "activation_fn" } else { "act_fn" }
    return FeedForward(
      projection, down: down, activation: try Nonlinearity(c.activation, in: mlp / activationName), dropout: c.residualDropout)
  }

  /// Llama's block: `x + attention(norm(x))`, then `x + feedForward(norm(x))` (Touvron et al. 2023, section 2.2).
  /// - Parameters:
  ///   - attention: makes the first sublayer.
  ///   - feedForward: makes the second.
  public func preNormed(
    attention: (BlockLayers) throws -> any Sublayer = { try $0.attention() },
    feedForward: (BlockLayers) throws -> any Sublayer = { try $0.feedForward() }
  ) throws -> TransformerBlock {
    let attentionNorm = try norm("input_layernorm")
    let first = Residual(.before(attentionNorm), try attention(self), multiplier: configuration.residualMultiplier)
    let feedForwardNorm = try norm("post_attention_layernorm")
    let second = Residual(.before(feedForwardNorm), try feedForward(self), multiplier: configuration.residualMultiplier)
    return TransformerBlock(at: scope, first, second)
  }
}
