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

    /// - Parameters:
    ///   - config: resolved for its family.
    ///   - headSizeKey: the key of the columns of a head that rotary positions are for.
    /// - Throws: `ArchitectureError` for a value that is out of range, and for values that contradict each other.
    package init(_ config: ArchitectureConfiguration, headSizeKey: String = "head_dim") throws(ArchitectureError) {
      dimensions = try TransformerDimensions(config)
      intermediateSize = try config.count("intermediate_size")
      keyValueHeads = try config.count("num_key_value_heads", default: dimensions.heads)
      guard dimensions.heads % keyValueHeads == 0 else {
        throw config.fail("num_key_value_heads", "\(keyValueHeads) does not divide num_attention_heads \(dimensions.heads)")
      }
      headSize = try config.count(headSizeKey, default: dimensions.hiddenSize / dimensions.heads)
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
  init(
    _ c: Configuration, modelType: String, style: AttentionStyle = .causal, isHeadless: Bool = false, parts: BlockParts = BlockParts(),
    in scope: Scope
  ) throws {
    self.modelType = modelType
    self.style = style
    catalog = scope.catalog
    (vocabularySize, hiddenSize, rotary) = (c.vocabularySize, c.hiddenSize, c.rotary)
    let initializer = Initializer.normal(standardDeviation: c.initializerRange)
    let model = scope / "model"
    let tying = Tying(of: scope / "lm_head", to: model / "embed_tokens", isOn: c.tiesHead)
    embedding = try Embedding(
      model / "embed_tokens", entries: c.vocabularySize, width: c.hiddenSize, role: .tokenEmbedding, padding: c.padding, initializer: initializer)
    blocks = TransformerStack(try (0..<c.layers).map { try Self.block(model / "layers" / $0, layer: $0, c, parts, initializer) })
    norm = try Norm(model / "norm", width: c.hiddenSize, epsilon: c.epsilon)
    head = try tying.head(over: embedding, isHeadless: isHeadless, initializer)
  }

  public func hiddenStates(_ input: SequenceInput, _ pass: Pass) -> Tensor {
    let embedded = embedding.embedded(input, pass)
    let layout = embedded.input.layout(style, rotary: [rotary])
    return norm(embedded.tokens(of: blocks(embedded.rows, layout, pass)))
  }

  /// `x + attention(norm(x))`, then `x + feedForward(norm(x))`.
  private static func block(
    _ scope: Scope, layer: Int, _ c: Configuration, _ parts: BlockParts, _ initializer: Initializer
  ) throws -> TransformerBlock {
    let attentionNorm = try Norm(scope / "input_layernorm", width: c.hiddenSize, epsilon: c.epsilon)
    let attention = try parts.attention(scope, layer, c, initializer)
    let feedForwardNorm = try Norm(scope / "post_attention_layernorm", width: c.hiddenSize, epsilon: c.epsilon)
    let feedForward = try parts.feedForward(scope, layer, c, initializer)
    return TransformerBlock(Residual(.before(attentionNorm), attention), Residual(.before(feedForwardNorm), feedForward))
  }
}

/// The two sublayers of a block, which families make in their own ways.
extension Llama {
  struct BlockParts {
    /// Makes a sublayer in the scope of its block.
    typealias Builder = (_ block: Scope, _ layer: Int, Configuration, Initializer) throws -> any Sublayer
    var attention: Builder = { try Llama.attention($0, layer: $1, $2, $3) }
    var feedForward: Builder = { try Llama.feedForward($0 / "mlp", size: $2.intermediateSize, $2, $3) }
  }

  /// Grouped-query attention with rotary positions.
  /// - Parameter sinks: a learned score of each head; nil for none.
  static func attention(
    _ block: Scope, layer: Int, _ c: Configuration, _ initializer: Initializer, sinks: (Scope) throws -> Parameter? = { _ in nil }
  ) throws -> Attention {
    let attn = block / "self_attn"
    let width = c.hiddenSize
    let options = AttentionOptions(
      heads: c.heads, keyValueHeads: c.keyValueHeads, headSize: c.headSize, window: c.windows[layer], dropout: c.scoreDropout)
    func linear(_ name: String, _ inputs: Int, _ outputs: Int, bias: Bool, _ role: Role) throws -> Linear {
      try Linear(attn / name, in: inputs, out: outputs, bias: bias, role: role, initializer: initializer)
    }
    return Attention(
      attn, options,
      .separate(
        query: try linear("q_proj", width, options.queryWidth, bias: c.hasInputBias, .query),
        key: try linear("k_proj", width, options.keyWidth, bias: c.hasInputBias, .key),
        value: try linear("v_proj", width, options.valueWidth, bias: c.hasInputBias, .value)),
      output: try linear("o_proj", options.contextWidth, width, bias: c.hasOutputBias, .attentionOutput),
      queryNorm: c.hasHeadNorms ? try Norm(attn / "q_norm", width: c.headSize, epsilon: c.epsilon) : nil,
      keyNorm: c.hasHeadNorms ? try Norm(attn / "k_norm", width: c.headSize, epsilon: c.epsilon) : nil, rotary: 0, sinks: try sinks(attn))
  }

  /// `down(activation(gate x) * up x)`.
  static func feedForward(_ mlp: Scope, size: Int, _ c: Configuration, _ initializer: Initializer) throws -> FeedForward {
    func linear(_ name: String, _ inputs: Int, _ outputs: Int, _ role: Role) throws -> Linear {
      try Linear(mlp / name, in: inputs, out: outputs, bias: c.hasFeedForwardBias, role: role, initializer: initializer)
    }
    return FeedForward(
      .gated(gate: try linear("gate_proj", c.hiddenSize, size, .gate), up: try linear("up_proj", c.hiddenSize, size, .up)),
      down: try linear("down_proj", size, c.hiddenSize, .down), activation: try Nonlinearity(c.activation, in: mlp / "act_fn"))
  }
}

extension Llama {
  /// A family that differs from Llama in a few switches, or in the parts of its blocks.
  ///
  /// - Parameters:
  ///   - gguf: the architecture in llama.cpp, nil for none; `llama` itself has the rows of rotary pairs side by side.
  ///   - headSizeKey: the key of the columns of a head that rotary positions are for.
  ///   - adjust: sets what the family's configuration names in its own way, or does not name.
  ///   - parts: the parts of its blocks.
  static func family(
    _ modelType: String, classNames: ModelFamily.ClassNames, tasks: [LearningTask] = [.causalLM, .sequenceClassification, .tokenClassification],
    configuration: ConfigurationKeys, defaultTargets: DefaultTargets, gguf: String?, headSizeKey: String = "head_dim",
    adjust: @escaping @Sendable (inout Configuration, ArchitectureConfiguration) throws -> Void = { _, _ in },
    parts: @escaping @Sendable (ArchitectureConfiguration) throws -> BlockParts = { _ in BlockParts() }
  ) -> ModelFamily {
    @Sendable func read(_ config: ArchitectureConfiguration) throws -> Configuration {
      var c = try Configuration(config, headSizeKey: headSizeKey)
      try adjust(&c, config)
      return c
    }
    return .decoder(
      modelType, classNames: classNames, tasks: tasks, configuration: configuration,
      tensors: TensorNames(base: "model", vocabulary: ["embed_tokens.weight", "lm_head.weight"], classifiers: ["score"]),
      defaultTargets: defaultTargets, gguf: gguf.map { architecture($0, read) }
    ) { config, style, isHeadless, scope in
      try Llama(try read(config), modelType: modelType, style: style, isHeadless: isHeadless, parts: try parts(config), in: scope)
    }
  }

  private static func architecture(
    _ name: String, _ read: @escaping @Sendable (ArchitectureConfiguration) throws -> Configuration
  ) -> GGUFArchitecture {
    GGUFArchitecture(
      name, blocks: "model.layers",
      blockModules: [
        "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
        "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
      ],
      modules: ["model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"],
      reorderedModules: name == "llama" ? ["self_attn.q_proj", "self_attn.k_proj"] : [],
      order: { module, config in
        let c = try read(config)
        return GGUFModel.interleavedPairs(heads: module == "self_attn.q_proj" ? c.heads : c.keyValueHeads, size: c.headSize)
      }, describe: { try read($0).gguf($0, $1) })
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
