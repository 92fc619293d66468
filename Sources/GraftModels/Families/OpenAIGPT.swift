import GraftBatching
import GraftCheckpoints
import GraftLayers
import GraftTensors

extension ModelFamily {
  /// GPT, the first of the name: post-normed blocks with learned positions (Radford et al. 2018, section 4.1).
  public static let openAIGPT = ModelFamily.decoder(
    "openai-gpt", classNames: ClassNames("OpenAIGPT", [.causalLM: "LMHeadModel"]), tasks: [.causalLM, .sequenceClassification],
    configuration: ConfigurationKeys(
      .decoder + .unwindowed + [
        .size("vocab_size"), .size("n_embd"), .size("n_layer"), .size("n_head"), .read("n_positions", 512), .read("afn", "gelu"),
        .read("resid_pdrop", 0.1), .read("embd_pdrop", 0.1), .read("attn_pdrop", 0.1), .read("layer_norm_epsilon", 1e-5),
        .read("initializer_range", 0.02), .read("tie_word_embeddings", true), .only("is_causal", true),
      ]
        + ConfigurationKey.withoutEffect(
          "summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels", "summary_first_dropout"),
      synonyms: [
        "hidden_size": "n_embd", "max_position_embeddings": "n_positions", "num_attention_heads": "n_head", "num_hidden_layers": "n_layer",
      ]),
    dimensions: GPT2.Configuration.keys,
    tensors: TensorNames(base: "transformer", vocabulary: ["tokens_embed.weight", "lm_head.weight"], classifiers: ["score"]),
    traits: [.storesInputByOutput]
  ) { config, style, isHeadless, scope in
    let parts = try OpenAIGPT.parts(try OpenAIGPT.Configuration(config), isHeadless: isHeadless, in: scope)
    return CausalDecoder("openai-gpt", parts, style: style, catalog: scope.catalog)
  }
}

/// GPT's configuration and blocks.
private enum OpenAIGPT {
  /// The sizes and options of a model.
  struct Configuration: TransformerConfiguration {
    var dimensions: TransformerDimensions
    var headSize: Int, positions: Int
    var epsilon: Float, initializer: Initializer
    var activation: Activation
    var tiesHead: Bool
    var embeddingDropout: Float, residualDropout: Float, scoreDropout: Float

    /// The activations, by names that mean others elsewhere.
    private static let activations: [String: Activation] = ["gelu": .geluTanh, "relu": .relu, "silu": .silu, "swish": .silu]

    /// - Parameter config: resolved for the family.
    /// - Throws: `ArchitectureError` for a value that is out of range, and for values that contradict each other.
    init(_ config: ArchitectureConfiguration) throws(ArchitectureError) {
      dimensions = try TransformerDimensions(config, GPT2.Configuration.keys)
      headSize = try config.headSize(of: dimensions.hiddenSize, heads: dimensions.heads, "n_head")
      positions = try config.count("n_positions")
      epsilon = try config.float("layer_norm_epsilon")
      initializer = .normal(standardDeviation: try config.deviation("initializer_range"))
      let name = try config.string("afn")
      guard let activation = Self.activations[name] else {
        throw config.fail("afn", "unsupported activation \"\(name)\"; known are \(Self.activations.keys.sorted().joined(separator: ", "))")
      }
      self.activation = activation
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
    let model = scope / "transformer"
    let tying = Tying(of: scope / "lm_head", to: model / "tokens_embed", isOn: c.tiesHead)
    func table(_ name: String, _ entries: Int, _ role: Role) throws -> Embedding {
      try Embedding(model / name, entries: entries, width: c.hiddenSize, role: role, initializer: c.initializer)
    }
    let embedding = try table("tokens_embed", c.vocabularySize, .tokenEmbedding)
    let positions = try table("positions_embed", c.positions, .positionEmbedding)
    let blocks = try (0..<c.layers).map { try block(model / "h" / $0, c) }
    let head = try tying.head(over: embedding, isHeadless: isHeadless, c.initializer)
    var parts = CausalDecoder.Parts(embedding: embedding, positions: .learned(positions), blocks: blocks, norm: nil, head: head)
    parts.embeddingDropout = c.embeddingDropout
    return parts
  }

  private static func block(_ scope: Scope, _ c: Configuration) throws -> TransformerBlock {
    func linear(_ scope: Scope, _ inputs: Int, _ outputs: Int, _ role: Role) throws -> Linear {
      try Linear(scope, in: inputs, out: outputs, bias: true, role: role, layout: .inputByOutput, initializer: c.initializer)
    }
    func norm(_ name: String) throws -> Norm { try Norm(scope / name, width: c.hiddenSize, epsilon: c.epsilon, kind: .layer, bias: true) }
    let attn = scope / "attn"
    let mlp = scope / "mlp"
    let width = c.hiddenSize
    let attention = Attention(
      attn, AttentionOptions(heads: c.heads, headSize: c.headSize, dropout: c.scoreDropout),
      .fused(try linear(attn / "c_attn", width, 3 * width, .fusedAttention)),
      output: try linear(attn / "c_proj", width, width, .attentionOutput), dropout: c.residualDropout)
    let attentionNorm = try norm("ln_1")
    let feedForward = FeedForward(
      .plain(up: try linear(mlp / "c_fc", width, 4 * width, .up)), down: try linear(mlp / "c_proj", 4 * width, width, .down),
      activation: Nonlinearity(c.activation), dropout: c.residualDropout)
    return TransformerBlock(at: scope, Residual(.after(attentionNorm), attention), Residual(.after(try norm("ln_2")), feedForward))
  }
}
