import GraftBatching
import GraftCheckpoints
import GraftLayers
import GraftTensors

extension ModelFamily {
  /// Qwen, the first of the name, in the layout of its authors' own code: GPT-2's names over Llama's block, with one biased projection of
  /// queries, keys and values, and texts longer than those of pretraining (Bai et al. 2023).
  public static let qwen = ModelFamily.decoder(
    "qwen", classNames: ClassNames("QWen", [.causalLM: "LMHeadModel"]), tasks: [.causalLM],
    configuration: ConfigurationKeys(
      .decoder + .unwindowed + [
        .size("vocab_size"), .size("hidden_size"), .size("num_hidden_layers"), .size("num_attention_heads"), .size("intermediate_size"),
        .optional("kv_channels"), .only("rotary_pct", 1.0, 1), .read("rotary_emb_base", 10_000), .read("layer_norm_epsilon", 1e-6),
        .read("initializer_range", 0.02), .read("seq_length", 8192), .read("max_position_embeddings", 8192), .read("use_dynamic_ntk", true),
        .read("use_logn_attn", true), .read("no_bias", true), .read("emb_dropout_prob", 0.0), .read("attn_dropout_prob", 0.0),
        .read("tie_word_embeddings", false),
      ]
        + ConfigurationKey.withoutEffect(
          "bf16", "fp16", "fp32", "use_flash_attn", "softmax_in_fp32", "scale_attn_weights", "use_cache_quantization", "use_cache_kernel",
          "onnx_safe"),
      synonyms: [
        "n_embd": "hidden_size", "n_layer": "num_hidden_layers", "n_head": "num_attention_heads", "n_positions": "max_position_embeddings",
        "ffn_hidden_size": "intermediate_size", "embd_pdrop": "emb_dropout_prob", "attn_pdrop": "attn_dropout_prob",
      ]),
    tensors: TensorNames(base: "transformer", vocabulary: ["wte.weight", "lm_head.weight"]),
    defaultTargets: DefaultTargets(scaled: [.fusedAttention, .down], scaledInputs: [.down], norms: ["ln_1", "ln_2", "ln_f"]),
    gguf: GGUFArchitecture(
      "qwen", blocks: "transformer.h",
      blockModules: [
        "ln_1": "attn_norm", "ln_2": "ffn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "mlp.w1": "ffn_up",
        "mlp.w2": "ffn_gate", "mlp.c_proj": "ffn_down",
      ],
      modules: ["transformer.wte": "token_embd", "transformer.ln_f": "output_norm", "lm_head": "output"]
    ) { try Qwen.Configuration($0).gguf($0, $1) }
  ) { config, style, isHeadless, scope in
    let parts = try Qwen.parts(try Qwen.Configuration(config), isHeadless: isHeadless, in: scope)
    return CausalDecoder("qwen", parts, style: style, catalog: scope.catalog)
  }
}

/// Qwen's configuration and blocks.
private enum Qwen {
  /// The sizes and options of a model.
  struct Configuration: TransformerConfiguration {
    var dimensions: TransformerDimensions
    /// The columns of the feed-forward's middle: half of `intermediate_size`, which counts those of both projections.
    var middleSize: Int
    var headSize: Int
    /// The length of the texts of pretraining, and the longest that the model is meant for.
    var trainedLength: Int, positions: Int
    var rotary: RotaryFrequencies
    /// True where scores grow with the logarithm of a query's position beyond the trained length.
    var growsScores: Bool
    /// True where the output of attention and the feed-forward's layers have biases; queries, keys and values always have them.
    var hasBiases: Bool
    var epsilon: Float, initializerRange: Float
    var tiesHead: Bool
    var embeddingDropout: Float, scoreDropout: Float

    /// - Parameter config: resolved for the family.
    /// - Throws: `ArchitectureError` for a value that is out of range, and for values that contradict each other.
    init(_ config: ArchitectureConfiguration) throws(ArchitectureError) {
      dimensions = try TransformerDimensions(config)
      headSize = try config.headSize(of: dimensions.hiddenSize, heads: dimensions.heads, "num_attention_heads")
      guard try config.count("kv_channels", default: headSize) == headSize else {
        throw config.fail("kv_channels", "is not hidden_size \(dimensions.hiddenSize) divided by num_attention_heads \(dimensions.heads)")
      }
      guard headSize % 2 == 0, headSize > 2 else {
        throw config.fail("num_attention_heads", "makes heads of \(headSize) columns; rotary positions need an even number, and more than 2")
      }
      let both = try config.count("intermediate_size")
      guard both >= 2 else { throw config.fail("intermediate_size", "is \(both); it must be at least 2") }
      middleSize = both / 2
      trainedLength = try config.count("seq_length")
      guard trainedLength > 1 else { throw config.fail("seq_length", "is \(trainedLength); it must be at least 2") }
      positions = try config.count("max_position_embeddings")
      rotary = RotaryFrequencies(
        rotatedSize: headSize, base: try config.positiveFloat("rotary_emb_base"),
        scaling: try config.bool("use_dynamic_ntk") ? .doubling(originalLength: trainedLength) : .none)
      growsScores = try config.bool("use_logn_attn")
      hasBiases = try !config.bool("no_bias")
      epsilon = try config.float("layer_norm_epsilon")
      initializerRange = try config.deviation("initializer_range")
      tiesHead = try config.bool("tie_word_embeddings")
      embeddingDropout = try config.probability("emb_dropout_prob")
      scoreDropout = try config.probability("attn_dropout_prob")
    }

    /// The model as llama.cpp's converter describes it.
    func gguf(_ config: ArchitectureConfiguration, _ architecture: GGUFArchitecture) throws(ArchitectureError) -> GGUFModel {
      guard !hasBiases else { throw config.withoutCounterpart("no_bias false") }
      var metadata = GGUFMetadata(architecture)
      metadata.add("vocab_size", vocabularySize)
      metadata.add("context_length", positions)
      metadata.add("block_count", layers)
      metadata.add("embedding_length", hiddenSize)
      metadata.add("feed_forward_length", 2 * middleSize)
      metadata.add("rope.freq_base", rotary.base)
      metadata.add("rope.dimension_count", headSize)
      metadata.add("attention.head_count", heads)
      metadata.add("attention.layer_norm_rms_epsilon", epsilon)
      var model = GGUFModel(metadata: metadata.entries)
      if growsScores || rotary.scaling != .none {
        model.notes.append("texts of more than \(trainedLength) tokens: llama.cpp neither stretches positions nor lets scores grow as the model does")
      }
      return model
    }
  }

  /// The parts of a model.
  /// - Parameter isHeadless: true where hidden states are all that is wanted: no head is asked for.
  /// - Throws: `WeightError` and what the source throws.
  static func parts(_ c: Configuration, isHeadless: Bool, in scope: Scope) throws -> CausalDecoder.Parts {
    let initializer = Initializer.normal(standardDeviation: c.initializerRange)
    let model = scope / "transformer"
    let tying = Tying(of: scope / "lm_head", to: model / "wte", isOn: c.tiesHead)
    let embedding = try Embedding(
      model / "wte", entries: c.vocabularySize, width: c.hiddenSize, role: .tokenEmbedding, initializer: initializer)
    let blocks = try (0..<c.layers).map { try block(model / "h" / $0, c) }
    let norm = try Norm(model / "ln_f", width: c.hiddenSize, epsilon: c.epsilon)
    let head = try tying.head(over: embedding, isHeadless: isHeadless, initializer)
    var parts = CausalDecoder.Parts(embedding: embedding, positions: .rotary([c.rotary]), blocks: blocks, norm: norm, head: head)
    parts.embeddingDropout = c.embeddingDropout
    return parts
  }

  private static func block(_ scope: Scope, _ c: Configuration) throws -> TransformerBlock {
    let (attn, mlp) = (scope / "attn", scope / "mlp")
    let width = c.hiddenSize
    // What is added to the residual stream starts smaller the more layers add to it (Radford et al. 2019, section 2.3).
    let residualRange = c.initializerRange / Float(2 * c.layers).squareRoot()
    func linear(_ scope: Scope, _ inputs: Int, _ outputs: Int, bias: Bool, _ role: Role) throws -> Linear {
      let range = role == .attentionOutput || role == .down ? residualRange : c.initializerRange
      return try Linear(
        scope, in: inputs, out: outputs, bias: bias, role: role, initializer: .normal(standardDeviation: range))
    }
    let attentionNorm = try Norm(scope / "ln_1", width: width, epsilon: c.epsilon)
    let attention = Attention(
      attn, AttentionOptions(heads: c.heads, headSize: c.headSize, dropout: c.scoreDropout),
      .fused(try linear(attn / "c_attn", width, 3 * width, bias: true, .fusedAttention)),
      output: try linear(attn / "c_proj", width, width, bias: c.hasBiases, .attentionOutput), rotary: 0,
      scoresGrowBeyond: c.growsScores ? c.trainedLength : nil)
    let feedForwardNorm = try Norm(scope / "ln_2", width: width, epsilon: c.epsilon)
    let up = try linear(mlp / "w1", width, c.middleSize, bias: c.hasBiases, .up)
    let gate = try linear(mlp / "w2", width, c.middleSize, bias: c.hasBiases, .gate)
    let feedForward = FeedForward(
      .gated(gate: gate, up: up), down: try linear(mlp / "c_proj", c.middleSize, width, bias: c.hasBiases, .down),
      activation: try Nonlinearity(.fixed(.silu), in: mlp / "act"))
    return TransformerBlock(at: scope, Residual(.before(attentionNorm), attention), Residual(.before(feedForwardNorm), feedForward))
  }
}
