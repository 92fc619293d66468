import GraftBatching
import GraftCheckpoints
import GraftLayers
import GraftTensors

extension ModelFamily {
  /// GPT-2.
  public static let gpt2 = ModelFamily.decoder(
    "gpt2", classNames: ClassNames("GPT2", [.causalLM: "LMHeadModel"]),
    configuration: ConfigurationKeys(
      .decoder + .unwindowed + [
        .size("vocab_size"), .size("n_embd"), .size("n_layer"), .size("n_head"), .read("n_positions", 1024), .read("n_inner", .null),
        .read("activation_function", "gelu_new"), .read("resid_pdrop", 0.1), .read("embd_pdrop", 0.1), .read("attn_pdrop", 0.1),
        .read("layer_norm_epsilon", 1e-5), .read("initializer_range", 0.02), .read("scale_attn_weights", true),
        .read("scale_attn_by_inverse_layer_idx", false), .read("tie_word_embeddings", true), .only("add_cross_attention", false),
      ]
        + ConfigurationKey.withoutEffect(
          "summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels", "summary_first_dropout",
          "reorder_and_upcast_attn"),
      synonyms: [
        "hidden_size": "n_embd", "max_position_embeddings": "n_positions", "num_attention_heads": "n_head", "num_hidden_layers": "n_layer",
      ]),
    dimensions: GPT2.Configuration.keys,
    tensors: TensorNames(base: "transformer", vocabulary: ["wte.weight", "lm_head.weight"], classifiers: ["score", "classifier"]),
    defaultTargets: DefaultTargets(scaled: [.fusedAttention, .down], scaledInputs: [.down], norms: ["ln_1", "ln_2", "ln_f"]),
    gguf: GGUFArchitecture(
      "gpt2", blocks: "transformer.h",
      blockModules: [
        "ln_1": "attn_norm", "ln_2": "ffn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "mlp.c_fc": "ffn_up",
        "mlp.c_proj": "ffn_down",
      ],
      modules: ["transformer.wte": "token_embd", "transformer.wpe": "position_embd", "transformer.ln_f": "output_norm", "lm_head": "output"],
      reading: GGUFReading { keys in
        [
          ("n_embd", .integer(try keys.count("embedding_length"))), ("n_layer", .integer(try keys.count("block_count"))),
          ("n_head", .integer(try keys.count("attention.head_count"))), ("n_positions", .integer(try keys.count("context_length"))),
          ("n_inner", .integer(try keys.count("feed_forward_length"))), ("activation_function", "gelu_new"),
          ("layer_norm_epsilon", try keys.number("attention.layer_norm_epsilon")),
        ]
      }
    ) { try GPT2.Configuration($0).gguf($0, $1) },
    traits: [.storesInputByOutput], tokenClassifier: "classifier"
  ) { config, style, isHeadless, scope in
    let parts = try GPT2.parts(try GPT2.Configuration(config), isHeadless: isHeadless, in: scope)
    return CausalDecoder("gpt2", parts, style: style, catalog: scope.catalog)
  }
}

/// GPT-2: pre-normed blocks with learned positions, a fused attention projection and a tied head (Radford et al. 2019).
///
/// Its matrices are stored input by output, as the original's one-dimensional convolutions were.
enum GPT2 {
  /// The sizes and options of a model.
  package struct Configuration: TransformerConfiguration {
    package var dimensions: TransformerDimensions
    package var intermediateSize: Int, headSize: Int, positions: Int
    package var epsilon: Float, initializerRange: Float
    package var activation: NonlinearityName
    package var scalesScores: Bool, scalesScoresByLayer: Bool
    package var tiesHead: Bool
    package var embeddingDropout: Float, residualDropout: Float, scoreDropout: Float

    static let keys = DimensionKeys(hiddenSize: "n_embd", layers: "n_layer", heads: "n_head")

    /// - Parameter config: resolved for its family.
    /// - Throws: `ArchitectureError` for a value that is out of range, and for values that contradict each other.
    package init(_ config: ArchitectureConfiguration) throws(ArchitectureError) {
      dimensions = try TransformerDimensions(config, Self.keys)
      headSize = try config.headSize(of: dimensions.hiddenSize, heads: dimensions.heads, Self.keys.heads)
      intermediateSize = try config.count("n_inner", default: 4 * dimensions.hiddenSize)
      positions = try config.count("n_positions")
      epsilon = try config.float("layer_norm_epsilon")
      initializerRange = try config.deviation("initializer_range")
      activation = try config.activation("activation_function")
      scalesScores = try config.bool("scale_attn_weights")
      scalesScoresByLayer = try config.bool("scale_attn_by_inverse_layer_idx")
      tiesHead = try config.bool("tie_word_embeddings")
      embeddingDropout = try config.probability("embd_pdrop")
      residualDropout = try config.probability("resid_pdrop")
      scoreDropout = try config.probability("attn_pdrop")
    }
  }

  /// The parts of a model.
  /// - Parameter isHeadless: true where hidden states are all that is wanted: no head is asked for.
  /// - Throws: `WeightError` and what the source throws.
  static func parts(_ c: Configuration, isHeadless: Bool, in scope: Scope) throws -> CausalDecoder.Parts {
    let initializer = Initializer.normal(standardDeviation: c.initializerRange)
    let model = scope / "transformer"
    let tying = Tying(of: scope / "lm_head", to: model / "wte", isOn: c.tiesHead)
    func table(_ name: String, _ entries: Int, _ role: Role) throws -> Embedding {
      try Embedding(model / name, entries: entries, width: c.hiddenSize, role: role, initializer: initializer)
    }
    let embedding = try table("wte", c.vocabularySize, .tokenEmbedding)
    let positions = try table("wpe", c.positions, .positionEmbedding)
    let blocks = try (0..<c.layers).map { try block(model / "h" / $0, layer: $0, c) }
    let norm = try Norm(model / "ln_f", width: c.hiddenSize, epsilon: c.epsilon, kind: .layer, bias: true)
    let head = try tying.head(over: embedding, isHeadless: isHeadless, initializer)
    var parts = CausalDecoder.Parts(embedding: embedding, positions: .learned(positions), blocks: blocks, norm: norm, head: head)
    parts.embeddingDropout = c.embeddingDropout
    return parts
  }

  private static func block(_ scope: Scope, layer: Int, _ c: Configuration) throws -> TransformerBlock {
    func linear(_ scope: Scope, _ inputs: Int, _ outputs: Int, _ role: Role, deviation: Float) throws -> Linear {
      try Linear(
        scope, in: inputs, out: outputs, bias: true, role: role, layout: .inputByOutput,
        initializer: .normal(standardDeviation: deviation))
    }
    let attn = scope / "attn"
    let mlp = scope / "mlp"
    let width = c.hiddenSize
    // What is added to the residual stream starts smaller the more layers add to it (Radford et al. 2019, section 2.3).
    let deviation = c.initializerRange
    let residualDeviation = deviation / Float(2 * c.layers).squareRoot()
    let scale = (c.scalesScores ? 1 / Float(c.headSize).squareRoot() : 1) / (c.scalesScoresByLayer ? Float(layer + 1) : 1)
    let attentionNorm = try Norm(scope / "ln_1", width: width, epsilon: c.epsilon, kind: .layer, bias: true)
    let attention = Attention(
      attn, AttentionOptions(heads: c.heads, headSize: c.headSize, scale: scale, dropout: c.scoreDropout),
      .fused(try linear(attn / "c_attn", width, 3 * width, .fusedAttention, deviation: deviation)),
      output: try linear(attn / "c_proj", width, width, .attentionOutput, deviation: residualDeviation), dropout: c.residualDropout)
    let feedForwardNorm = try Norm(scope / "ln_2", width: width, epsilon: c.epsilon, kind: .layer, bias: true)
    let feedForward = FeedForward(
      .plain(up: try linear(mlp / "c_fc", width, c.intermediateSize, .up, deviation: deviation)),
      down: try linear(mlp / "c_proj", c.intermediateSize, width, .down, deviation: residualDeviation),
      activation: try Nonlinearity(c.activation, in: mlp / "act"), dropout: c.residualDropout)
    return TransformerBlock(at: scope, Residual(.before(attentionNorm), attention), Residual(.before(feedForwardNorm), feedForward))
  }
}

extension GPT2.Configuration {
  /// The model as llama.cpp's converter describes it.
  /// - Throws: `ArchitectureError` where the model computes something that llama.cpp would not.
  func gguf(_ config: ArchitectureConfiguration, _ architecture: GGUFArchitecture) throws(ArchitectureError) -> GGUFModel {
    guard activation == .fixed(.geluTanh) else { throw config.withoutCounterpart("activation_function other than gelu_new") }
    guard scalesScores, !scalesScoresByLayer else { throw config.withoutCounterpart("another scale of attention scores") }
    var metadata = GGUFMetadata(architecture)
    metadata.add("vocab_size", vocabularySize)
    metadata.add("block_count", layers)
    metadata.add("context_length", positions)
    metadata.add("embedding_length", hiddenSize)
    metadata.add("feed_forward_length", intermediateSize)
    metadata.add("attention.head_count", heads)
    metadata.add("attention.layer_norm_epsilon", epsilon)
    return GGUFModel(metadata: metadata.entries)
  }
}
