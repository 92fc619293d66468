import GraftBatching
import GraftCheckpoints
import GraftLayers
import GraftTensors

extension ModelFamily {
  /// Llama, of all versions.
  public static let llama = Llama.family(
    "llama", classNames: "Llama",
    configuration: ConfigurationKeys(
      .rotaryDecoder + .unwindowed + [
        .read("num_key_value_heads", .null), .read("head_dim", .null), .read("max_position_embeddings", 2048), .read("attention_bias", false),
        .read("attention_dropout", 0.0, orNull: true), .read("mlp_bias", false),
      ] + ConfigurationKey.withoutEffect("pretraining_tp")),
    defaultTargets: Llama.defaultTargets, gguf: "llama")
}

/// Llama: pre-normed blocks of rotary grouped-query attention and a gated feed-forward (Touvron et al. 2023, section 2.2).
///
/// Mistral, Qwen2 and Qwen3 differ from it in a few switches.
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

  /// The sizes and options of a model: those that the families agree on, and those in which they differ.
  package struct Configuration: TransformerConfiguration {
    package var dimensions: TransformerDimensions
    package var intermediateSize: Int
    package var keyValueHeads: Int, headSize: Int
    package var epsilon: Float, initializerRange: Float
    package var activation: NonlinearityName
    package var rotary: RotaryFrequencies
    package var tiesHead: Bool
    package var scoreDropout: Float
    package var hasInputBias: Bool, hasOutputBias: Bool, hasFeedForwardBias: Bool
    /// True for norms of every query and key head (Qwen3).
    package var hasHeadNorms = false
    /// The window of each layer; nil for a layer that sees everything.
    package var windows: [Int?]
    /// The token whose vector is not trained.
    package var padding: Int?

    /// - Parameter config: resolved for its family.
    /// - Throws: `ArchitectureError` for a value that is out of range, and for values that contradict each other.
    package init(_ config: ArchitectureConfiguration) throws(ArchitectureError) {
      dimensions = try TransformerDimensions(config)
      intermediateSize = try config.count("intermediate_size")
      keyValueHeads = try config.count("num_key_value_heads", default: dimensions.heads)
      guard dimensions.heads % keyValueHeads == 0 else {
        throw config.fail("num_key_value_heads", "\(keyValueHeads) does not divide num_attention_heads \(dimensions.heads)")
      }
      headSize = try config.count("head_dim", default: dimensions.hiddenSize / dimensions.heads)
      epsilon = try config.float("rms_norm_eps")
      initializerRange = try config.deviation("initializer_range")
      activation = try config.activation("hidden_act")
      rotary = try config.rotaryFrequencies(headSize: headSize)
      tiesHead = try config.bool("tie_word_embeddings")
      padding = try config.optionalInt("pad_token_id")
      hasInputBias = try config.bool("attention_bias", default: false)
      hasOutputBias = hasInputBias
      scoreDropout = try config.probability("attention_dropout")
      hasFeedForwardBias = try config.bool("mlp_bias", default: false)
      windows = try config.windows(layers: dimensions.layers)
    }
  }

  /// - Parameter isHeadless: true where hidden states are all that is wanted: no head is asked for.
  /// - Throws: `WeightError` and what the source throws.
  init(_ c: Configuration, modelType: String, style: AttentionStyle = .causal, isHeadless: Bool = false, in scope: Scope) throws {
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
      attn, options,
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

extension Llama {
  /// A family that differs from Llama in a few switches.
  ///
  /// - Parameters:
  ///   - gguf: the architecture in llama.cpp; `llama` itself has the rows of rotary pairs side by side.
  ///   - adjust: sets the switches that the family's configuration does not name.
  static func family(
    _ modelType: String, classNames: ModelFamily.ClassNames, configuration: ConfigurationKeys, defaultTargets: DefaultTargets, gguf: String,
    adjust: @escaping @Sendable (inout Configuration) -> Void = { _ in }
  ) -> ModelFamily {
    @Sendable func read(_ config: ArchitectureConfiguration) throws -> Configuration {
      var c = try Configuration(config)
      adjust(&c)
      return c
    }
    return .decoder(
      modelType, classNames: classNames, configuration: configuration,
      tensors: TensorNames(base: "model", vocabulary: ["embed_tokens.weight", "lm_head.weight"], classifiers: ["score"]),
      defaultTargets: defaultTargets,
      gguf: GGUFArchitecture(
        gguf, blocks: "model.layers",
        blockModules: [
          "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
          "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
          "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
        ],
        modules: ["model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"],
        reorderedModules: gguf == "llama" ? ["self_attn.q_proj", "self_attn.k_proj"] : [],
        order: { module, config in
          let c = try read(config)
          return GGUFModel.interleavedPairs(heads: module == "self_attn.q_proj" ? c.heads : c.keyValueHeads, size: c.headSize)
        }, describe: { try read($0).gguf($0, $1) })
    ) { config, style, isHeadless, scope in
      try Llama(try read(config), modelType: modelType, style: style, isHeadless: isHeadless, in: scope)
    }
  }

  /// PEFT's targets of Llama and Mistral.
  static let defaultTargets = DefaultTargets(
    scaled: [.key, .value, .down], scaledInputs: [.down], norms: ["input_layernorm", "post_attention_layernorm", "norm"])

  /// PEFT's targets of Qwen2 and Qwen3.
  static let qwenTargets = DefaultTargets(
    scaled: [.query, .value, .down], scaledInputs: [.down], norms: ["post_attention_layernorm"])
}

extension Llama.Configuration {
  /// The model as llama.cpp's converter describes it.
  /// - Throws: `ArchitectureError` where the model computes something that llama.cpp would not.
  func gguf(_ config: ArchitectureConfiguration, _ architecture: GGUFArchitecture) throws(ArchitectureError) -> GGUFModel {
    guard activation == .fixed(.silu) else { throw config.withoutCounterpart("hidden_act other than silu") }
    guard architecture.name != "qwen3" || !(hasInputBias || hasOutputBias), !hasFeedForwardBias || architecture.name == "llama" else {
      throw config.withoutCounterpart("a bias in \(architecture.name)")
    }
    let length = try config.count("max_position_embeddings")
    var metadata = GGUFMetadata(architecture)
    metadata.add("vocab_size", vocabularySize)
    metadata.add("block_count", layers)
    metadata.add("context_length", length)
    metadata.add("embedding_length", hiddenSize)
    metadata.add("feed_forward_length", intermediateSize)
    metadata.add("attention.head_count", heads)
    metadata.add("attention.head_count_kv", keyValueHeads)
    metadata.add("attention.key_length", headSize)
    metadata.add("attention.value_length", headSize)
    metadata.add("attention.layer_norm_rms_epsilon", epsilon)
    try metadata.add(rotary, config)
    let window = windows.compactMap(\.self).min()
    if let window { metadata.add("attention.sliding_window", window) }
    var model = GGUFModel(metadata: metadata.entries)
    if let factors = rotary.ggufFactors { model.vectors.append(("rope_freqs.weight", factors)) }
    if let window, window < length {
      model.notes.append(
        "llama.cpp attends to everything here, the model to the last \(window) tokens: results differ beyond \(window) tokens")
    }
    return model
  }
}
