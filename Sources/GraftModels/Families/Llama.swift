import GraftBatching
import GraftLayers
import GraftTensors

/// Llama and the families that differ from it in a few switches: Mistral, Qwen2 and Qwen3.
///
/// Pre-normed blocks of rotary grouped-query attention and a gated feed-forward (Touvron et al. 2023, section 2.2).
public final class Llama: CausalLanguageModel {
  public let modelType: String
  public let catalog: SiteCatalog
  public let vocabularySize: Int, hiddenSize: Int
  public let maximumLength: Int? = nil
  public let head: Linear
  private let embedding: Embedding
  private let blocks: TransformerStack
  private let norm: Norm
  private let rotary: RotaryFrequencies
  private let style: AttentionStyle
  public var attentionStyle: AttentionStyle? { style }

  /// What the families agree on and where they differ.
  public struct Configuration {
    public var vocabularySize: Int, hiddenSize: Int, intermediateSize: Int, layers: Int
    public var heads: Int, keyValueHeads: Int, headSize: Int
    public var epsilon: Float, initializerRange: Float
    public var activation: NonlinearityName
    public var rotary: RotaryFrequencies
    public var tiesHead: Bool
    public var scoreDropout: Float
    public var hasInputBias: Bool, hasOutputBias: Bool, hasFeedForwardBias: Bool
    /// Norms of every query and key head (Qwen3).
    public var hasHeadNorms: Bool
    /// The window of each layer, nil where it sees everything.
    public var windows: [Int?]
    /// The token whose vector is not trained.
    public var padding: Int?

    public init(_ config: ArchitectureConfiguration, modelType: String) throws(ArchitectureError) {
      let config = try config.resolved(as: modelType)
      vocabularySize = try config.count("vocab_size")
      hiddenSize = try config.count("hidden_size")
      intermediateSize = try config.count("intermediate_size")
      layers = try config.listCount("num_hidden_layers")
      heads = try config.count("num_attention_heads")
      keyValueHeads = try config.count("num_key_value_heads", default: heads)
      guard heads % keyValueHeads == 0 else {
        throw config.fail("num_key_value_heads", "\(keyValueHeads) does not divide num_attention_heads \(heads)")
      }
      headSize = try config.count("head_dim", default: hiddenSize / heads)
      epsilon = try config.float("rms_norm_eps")
      initializerRange = try config.deviation("initializer_range")
      activation = try config.activation("hidden_act")
      rotary = try config.rotaryFrequencies(headSize: headSize)
      tiesHead = try config.bool("tie_word_embeddings")
      padding = try config.optionalInt("pad_token_id")
      let hasBias = try config.bool("attention_bias", default: false)
      hasInputBias = modelType == "qwen2" || hasBias
      hasOutputBias = modelType != "qwen2" && hasBias
      scoreDropout = try config.probability("attention_dropout")
      hasFeedForwardBias = try config.bool("mlp_bias", default: false)
      hasHeadNorms = modelType == "qwen3"
      windows = try Self.windows(config, modelType: modelType, layers: layers)
    }

    private static func windows(_ config: ArchitectureConfiguration, modelType: String, layers: Int) throws(ArchitectureError) -> [Int?] {
      let isOn = try config.bool("use_sliding_window", default: modelType == "mistral")
      let window = isOn ? try config.optionalCount("sliding_window") : nil
      guard config.contains("layer_types") else {
        let first = try config.int("max_window_layers", default: 0)
        return (0..<layers).map { $0 >= first ? window : nil }
      }
      let types = config.json["layer_types"]?.array ?? []
      guard types.count == layers else { throw config.fail("layer_types", "lists \(types.count) layers of \(layers)") }
      var windows: [Int?] = []
      for type in types {
        switch type.string {
        case "full_attention", "attention": windows.append(nil)
        case "sliding_attention" where window != nil: windows.append(window)
        default:
          throw config.fail(
            "layer_types", "unsupported \(type.serialized()) here; a layer has full_attention, or sliding_attention where there is a window")
        }
      }
      return windows
    }
  }

  /// - Parameter isHeadless: whether hidden states are all that is wanted: no head is asked for.
  /// - Throws: `ArchitectureError` for a configuration that contradicts itself, `WeightError` and what the source throws.
  public init(
    _ config: ArchitectureConfiguration, modelType: String, style: AttentionStyle = .causal, isHeadless: Bool = false, in scope: Scope
  ) throws {
    let c = try Configuration(config, modelType: modelType)
    self.modelType = modelType
    self.style = style
    catalog = scope.catalog
    (vocabularySize, hiddenSize, rotary) = (c.vocabularySize, c.hiddenSize, c.rotary)
    let initializer = Initializer.normal(standardDeviation: c.initializerRange)
    let model = scope / "model"
    let tying = Tying(of: scope / "lm_head", to: model / "embed_tokens", isOn: c.tiesHead)
    embedding = try Embedding(
      model / "embed_tokens", entries: c.vocabularySize, width: c.hiddenSize, role: .tokenEmbedding, padding: c.padding, initializer: initializer)
    blocks = TransformerStack(try (0..<c.layers).map { try Self.block(model / "layers" / $0, layer: $0, c, initializer) })
    norm = try Norm(model / "norm", width: c.hiddenSize, epsilon: c.epsilon)
    head = try tying.head(over: embedding, isHeadless: isHeadless, initializer)
  }

  public func hiddenStates(_ input: SequenceInput, _ pass: Pass) -> Tensor {
    let embedded = embedding.embedded(input, pass)
    let layout = embedded.input.layout(style, rotary: [rotary])
    return norm(embedded.tokens(of: blocks(embedded.rows, layout, pass)))
  }

  /// `x + attention(norm(x))`, then `x + feedForward(norm(x))`.
  private static func block(_ scope: Scope, layer: Int, _ c: Configuration, _ initializer: Initializer) throws -> TransformerBlock {
    func linear(_ scope: Scope, _ inputs: Int, _ outputs: Int, bias: Bool, _ role: Role) throws -> Linear {
      try Linear(scope, in: inputs, out: outputs, bias: bias, role: role, initializer: initializer)
    }
    let attn = scope / "self_attn"
    let mlp = scope / "mlp"
    let width = c.hiddenSize
    let options = AttentionOptions(
      heads: c.heads, keyValueHeads: c.keyValueHeads, headSize: c.headSize, window: c.windows[layer], dropout: c.scoreDropout)
    let attentionNorm = try Norm(scope / "input_layernorm", width: width, epsilon: c.epsilon)
    let attention = Attention(
      attn, layer: layer, options,
      .separate(
        query: try linear(attn / "q_proj", width, options.queryWidth, bias: c.hasInputBias, .query),
        key: try linear(attn / "k_proj", width, options.keyWidth, bias: c.hasInputBias, .key),
        value: try linear(attn / "v_proj", width, options.valueWidth, bias: c.hasInputBias, .value)),
      output: try linear(attn / "o_proj", options.contextWidth, width, bias: c.hasOutputBias, .attentionOutput),
      queryNorm: c.hasHeadNorms ? try Norm(attn / "q_norm", width: c.headSize, epsilon: c.epsilon) : nil,
      keyNorm: c.hasHeadNorms ? try Norm(attn / "k_norm", width: c.headSize, epsilon: c.epsilon) : nil, rotary: 0)
    let feedForwardNorm = try Norm(scope / "post_attention_layernorm", width: width, epsilon: c.epsilon)
    let feedForward = FeedForward(
      .gated(
        gate: try linear(mlp / "gate_proj", width, c.intermediateSize, bias: c.hasFeedForwardBias, .gate),
        up: try linear(mlp / "up_proj", width, c.intermediateSize, bias: c.hasFeedForwardBias, .up)),
      down: try linear(mlp / "down_proj", c.intermediateSize, width, bias: c.hasFeedForwardBias, .down),
      activation: try Nonlinearity(c.activation, in: mlp / "act_fn"))
    return TransformerBlock(Residual(.before(attentionNorm), attention), Residual(.before(feedForwardNorm), feedForward))
  }
}
