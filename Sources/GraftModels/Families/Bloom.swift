import GraftBatching
import GraftCheckpoints
import GraftLayers
import GraftTensors

extension ModelFamily {
  /// BLOOM: pre-normed blocks whose scores fall with the distance, over normed embeddings (BigScience Workshop 2022, section 3.2).
  public static let bloom = ModelFamily.decoder(
    "bloom", classNames: "Bloom",
    configuration: ConfigurationKeys(
      .decoder + .unwindowed + [
        .size("vocab_size"), .size("hidden_size"), .size("n_layer"), .size("n_head"), .read("layer_norm_epsilon", 1e-5),
        .read("initializer_range", 0.02), .read("tie_word_embeddings", true), .only("apply_residual_connection_post_layernorm", false),
        .read("hidden_dropout", 0.0), .read("attention_dropout", 0.0),
      ] + ConfigurationKey.withoutEffect("pretraining_tp", "slow_but_exact", "seq_length"),
      synonyms: ["num_hidden_layers": "n_layer", "num_attention_heads": "n_head"]),
    dimensions: Bloom.Configuration.keys,
    tensors: TensorNames(base: "transformer", vocabulary: ["word_embeddings.weight", "lm_head.weight"], classifiers: ["score", "classifier"]),
    defaultTargets: DefaultTargets(
      scaled: [.fusedAttention, .down], scaledInputs: [.down], norms: ["input_layernorm", "post_attention_layernorm", "ln_f"]),
    gguf: GGUFArchitecture(
      "bloom", blocks: "transformer.h",
      blockModules: [
        "input_layernorm": "attn_norm", "self_attention.query_key_value": "attn_qkv", "self_attention.dense": "attn_output",
        "post_attention_layernorm": "ffn_norm", "mlp.dense_h_to_4h": "ffn_up", "mlp.dense_4h_to_h": "ffn_down",
      ],
      modules: [
        "transformer.word_embeddings": "token_embd", "transformer.word_embeddings_layernorm": "token_embd_norm",
        "transformer.ln_f": "output_norm", "lm_head": "output",
      ],
      reorderedModules: ["self_attention.query_key_value"],
      order: { _, config in try Bloom.Configuration(config).ggufRows },
      reading: GGUFReading { keys in
        [
          ("hidden_size", .integer(try keys.count("embedding_length"))), ("n_layer", .integer(try keys.count("block_count"))),
          ("n_head", .integer(try keys.count("attention.head_count"))),
          ("layer_norm_epsilon", try keys.number("attention.layer_norm_epsilon")),
        ]
      }, describe: { try Bloom.Configuration($0).gguf($1) }),
    tokenClassifier: "classifier"
  ) { config, style, isHeadless, scope in
    let parts = try Bloom.parts(try Bloom.Configuration(config), isHeadless: isHeadless, in: scope)
    return CausalDecoder("bloom", parts, style: style, catalog: scope.catalog)
  }
}

/// BLOOM's configuration and blocks.
enum Bloom {
  /// The sizes and options of a model.
  struct Configuration: TransformerConfiguration {
    var dimensions: TransformerDimensions
    var headSize: Int
    var epsilon: Float, initializerRange: Float
    var tiesHead: Bool
    var hiddenDropout: Float, scoreDropout: Float

    static let keys = DimensionKeys(layers: "n_layer", heads: "n_head")

    var intermediateSize: Int { 4 * hiddenSize }

    /// - Parameter config: resolved for the family.
    /// - Throws: `ArchitectureError` for a value that is out of range, and for values that contradict each other.
    init(_ config: ArchitectureConfiguration) throws(ArchitectureError) {
      dimensions = try TransformerDimensions(config, Self.keys)
      headSize = try config.headSize(of: dimensions.hiddenSize, heads: dimensions.heads, Self.keys.heads)
      epsilon = try config.float("layer_norm_epsilon")
      initializerRange = try config.deviation("initializer_range")
      tiesHead = try config.bool("tie_word_embeddings")
      hiddenDropout = try config.probability("hidden_dropout")
      scoreDropout = try config.probability("attention_dropout")
    }

    var initializer: Initializer { .normal(standardDeviation: initializerRange) }
  }

  /// The parts of a model.
  /// - Parameter isHeadless: true where hidden states are all that is wanted: no head is asked for.
  /// - Throws: `WeightError` and what the source throws.
  static func parts(_ c: Configuration, isHeadless: Bool, in scope: Scope) throws -> CausalDecoder.Parts {
    let model = scope / "transformer"
    let tying = Tying(of: scope / "lm_head", to: model / "word_embeddings", isOn: c.tiesHead)
    let embedding = try Embedding(
      model / "word_embeddings", entries: c.vocabularySize, width: c.hiddenSize, role: .tokenEmbedding, initializer: c.initializer)
    let embeddingNorm = try norm(model / "word_embeddings_layernorm", c)
    let blocks = try (0..<c.layers).map { try block(model / "h" / $0, c) }
    let finalNorm = try norm(model / "ln_f", c)
    let head = try tying.head(over: embedding, isHeadless: isHeadless, c.initializer)
    let slopes = CausalDecoder.Positions.slopes(DistanceBias.slopes(heads: c.heads))
    var parts = CausalDecoder.Parts(embedding: embedding, positions: slopes, blocks: blocks, norm: finalNorm, head: head)
    parts.embeddingNorm = embeddingNorm
    return parts
  }

  private static func block(_ scope: Scope, _ c: Configuration) throws -> TransformerBlock {
    func linear(_ scope: Scope, _ inputs: Int, _ outputs: Int, _ role: Role) throws -> Linear {
      try Linear(scope, in: inputs, out: outputs, bias: true, role: role, initializer: c.initializer)
    }
    let attn = scope / "self_attention"
    let mlp = scope / "mlp"
    let width = c.hiddenSize
    let attentionNorm = try norm(scope / "input_layernorm", c)
    let attention = Attention(
      attn, AttentionOptions(heads: c.heads, headSize: c.headSize, dropout: c.scoreDropout),
      .fusedByHead(try linear(attn / "query_key_value", width, 3 * width, .fusedAttention)),
      output: try linear(attn / "dense", width, width, .attentionOutput), dropout: c.hiddenDropout)
    let feedForwardNorm = try norm(scope / "post_attention_layernorm", c)
    let feedForward = FeedForward(
      .plain(up: try linear(mlp / "dense_h_to_4h", width, c.intermediateSize, .up)),
      down: try linear(mlp / "dense_4h_to_h", c.intermediateSize, width, .down), activation: Nonlinearity(.geluTanh), dropout: c.hiddenDropout)
    return TransformerBlock(at: scope, Residual(.before(attentionNorm), attention), Residual(.before(feedForwardNorm), feedForward))
  }

  private static func norm(_ scope: Scope, _ c: Configuration) throws -> Norm {
    try Norm(scope, width: c.hiddenSize, epsilon: c.epsilon, kind: .layer, bias: true)
  }
}

extension Bloom.Configuration {
  /// The rows of all queries, of all keys and of all values, which Transformers has head by head.
  var ggufRows: [Int32] {
    (0..<3 * hiddenSize).map { row in
      let (part, column) = (row / hiddenSize, row % hiddenSize)
      return Int32((column / headSize * 3 + part) * headSize + column % headSize)
    }
  }

  /// The model as llama.cpp's converter describes it, whose context length is the width where nothing else is said.
  func gguf(_ architecture: GGUFArchitecture) throws(ArchitectureError) -> GGUFModel {
    var metadata = GGUFMetadata(architecture)
    metadata.add("vocab_size", vocabularySize)
    metadata.add("context_length", hiddenSize)
    metadata.add("embedding_length", hiddenSize)
    metadata.add("feed_forward_length", intermediateSize)
    metadata.add("block_count", layers)
    metadata.add("attention.head_count", heads)
    metadata.add("attention.head_count_kv", heads)
    metadata.add("attention.layer_norm_epsilon", epsilon)
    return GGUFModel(metadata: metadata.entries)
  }
}
