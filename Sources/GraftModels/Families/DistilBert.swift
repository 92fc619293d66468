import GraftBatching
import GraftCheckpoints
import GraftLayers
import GraftTensors

extension ModelFamily {
  /// DistilBERT.
  public static let distilBert = ModelFamily(
    "distilbert", classNames: "DistilBert", tasks: [.maskedLM, .sequenceClassification, .tokenClassification], fixedStyle: .bidirectional,
    configuration: ConfigurationKeys(
      .encoder + [
        .size("vocab_size"), .size("dim"), .size("hidden_dim"), .size("n_layers"), .size("n_heads"), .read("max_position_embeddings", 512),
        .read("sinusoidal_pos_embds", false), .read("dropout", 0.1), .read("attention_dropout", 0.1), .read("activation", "gelu"),
        .read("initializer_range", 0.02), .read("seq_classif_dropout", 0.2), .read("pad_token_id", 0, orNull: true),
        .read("tie_word_embeddings", true),
      ] + ConfigurationKey.withoutEffect("qa_dropout"),
      synonyms: ["hidden_size": "dim", "num_attention_heads": "n_heads", "num_hidden_layers": "n_layers"]),
    dimensions: DistilBert.Configuration.keys,
    tensors: TensorNames(
      base: "distilbert", vocabulary: ["word_embeddings.weight", "vocab_projector.weight", "vocab_projector.bias"], classifiers: ["classifier"],
      formerEnds: TensorNames.formerNorms),
    build: DistilBert.build)
}

/// DistilBERT: BERT with half the layers and without segments or a pooler, distilled from it (Sanh et al. 2019).
public final class DistilBert: EncodingModel {
  public let modelType = "distilbert"
  public let catalog: SiteCatalog
  public let vocabularySize: Int, hiddenSize: Int
  public let maximumLength: Int?
  private let tokens: Embedding, positions: Embedding
  private let norm: Norm
  private let blocks: TransformerStack
  private let dropout: Float
  private static let epsilon: Float = 1e-12

  /// The sizes and options of a model.
  package struct Configuration: TransformerConfiguration {
    package var dimensions: TransformerDimensions
    package var intermediateSize: Int, headSize: Int, positions: Int
    package var initializer: Initializer, positionInitializer: Initializer
    /// The token whose vector is not trained.
    package var padding: Int?
    package var activation: NonlinearityName
    package var tiesHead: Bool
    package var dropout: Float, scoreDropout: Float, classifierDropout: Float

    static let keys = DimensionKeys(hiddenSize: "dim", layers: "n_layers", heads: "n_heads")

    /// - Parameter config: resolved for its family.
    /// - Throws: `ArchitectureError` for a value that is out of range, and for values that contradict each other.
    package init(_ config: ArchitectureConfiguration) throws(ArchitectureError) {
      dimensions = try TransformerDimensions(config, Self.keys)
      intermediateSize = try config.count("hidden_dim")
      headSize = try config.headSize(of: dimensions.hiddenSize, heads: dimensions.heads, Self.keys.heads)
      positions = try config.count("max_position_embeddings")
      initializer = .normal(standardDeviation: try config.deviation("initializer_range"))
      // Sinusoids are stored like learned positions, and trained like them.
      positionInitializer = try config.bool("sinusoidal_pos_embds") ? .sinusoids : initializer
      padding = try config.optionalInt("pad_token_id")
      activation = try config.activation("activation")
      tiesHead = try config.bool("tie_word_embeddings")
      dropout = try config.probability("dropout")
      scoreDropout = try config.probability("attention_dropout")
      classifierDropout = try config.probability("seq_classif_dropout")
    }
  }

  init(_ c: Configuration, in scope: Scope) throws {
    catalog = scope.catalog
    (vocabularySize, hiddenSize, maximumLength, dropout) = (c.vocabularySize, c.hiddenSize, c.positions, c.dropout)
    let model = scope / "distilbert"
    let embeddings = model / "embeddings"
    tokens = try Embedding(
      embeddings / "word_embeddings", entries: c.vocabularySize, width: c.hiddenSize, role: .tokenEmbedding, padding: c.padding,
      initializer: c.initializer)
    positions = try Embedding(
      embeddings / "position_embeddings", entries: c.positions, width: c.hiddenSize, role: .positionEmbedding,
      initializer: c.positionInitializer)
    norm = try Norm(embeddings / "LayerNorm", width: c.hiddenSize, epsilon: Self.epsilon, kind: .layer, bias: true)
    blocks = TransformerStack(try (0..<c.layers).map { try Self.block(model / "transformer" / "layer" / $0, c) })
  }

  public var outline: ModelOutline? {
    ModelOutline(positions: learnedPositions, finalNorm: nil, stacks: [.init("encoder", blocks)])
  }

  public func encode(_ input: SequenceInput, _ pass: Pass) -> EncoderStates {
    let pass = pass.withoutState
    let embedded = tokens.embedded(input, pass)
    let layout = embedded.input.layout(.bidirectional)
    let x = embedded.rows + positions(Tensor(embedded.input.positions), pass)
    return EncoderStates(blocks(pass.dropout(norm(x), dropout, at: norm.path), layout, pass), of: embedded)
  }

  private static func block(_ scope: Scope, _ c: Configuration) throws -> TransformerBlock {
    let attention = scope / "attention"
    let ffn = scope / "ffn"
    let width = c.hiddenSize
    func linear(_ scope: Scope, _ inputs: Int, _ outputs: Int, _ role: Role) throws -> Linear {
      try Linear(scope, in: inputs, out: outputs, bias: true, role: role, initializer: c.initializer)
    }
    func norm(_ name: String) throws -> Norm { try Norm(scope / name, width: width, epsilon: epsilon, kind: .layer, bias: true) }
    let selfAttention = Attention(
      attention, AttentionOptions(heads: c.heads, headSize: c.headSize, dropout: c.scoreDropout),
      .separate(
        query: try linear(attention / "q_lin", width, width, .query), key: try linear(attention / "k_lin", width, width, .key),
        value: try linear(attention / "v_lin", width, width, .value)),
      output: try linear(attention / "out_lin", width, width, .attentionOutput))
    let attentionNorm = try norm("sa_layer_norm")
    let feedForward = FeedForward(
      .plain(up: try linear(ffn / "lin1", width, c.intermediateSize, .up)), down: try linear(ffn / "lin2", c.intermediateSize, width, .down),
      activation: try Nonlinearity(c.activation, in: ffn / "activation"), dropout: c.dropout)
    return TransformerBlock(
      at: scope, Residual(.after(attentionNorm), selfAttention), Residual(.after(try norm("output_layer_norm")), feedForward))
  }

  /// Builds DistilBERT for a task.
  @Sendable static func build(_ request: ModelRequest, in scope: Scope) throws -> any Model {
    let c = try Configuration(request.config)
    let tying = Tying(of: scope / "vocab_projector", to: scope / "distilbert" / "embeddings" / "word_embeddings", isOn: c.tiesHead)
    let encoder = try DistilBert(c, in: scope)
    if request.isHeadless { return encoder }
    let width = c.hiddenSize
    func linear(_ name: String, out outputs: Int, _ role: Role) throws -> Linear {
      try Linear(scope / name, in: width, out: outputs, bias: true, role: role, initializer: c.initializer, fallsBack: true)
    }
    switch request.task {
    case .maskedLM:
      let dense = try Linear(scope / "vocab_transform", in: width, out: width, bias: true, initializer: c.initializer)
      let norm = try Norm(scope / "vocab_layer_norm", width: width, epsilon: epsilon, kind: .layer, bias: true)
      let projector = scope / "vocab_projector"
      let bias = try projector.parameter("bias", [c.vocabularySize], .zeros)
      let isShared = try tying.isShared()
      let matrix =
        isShared
        ? encoder.tokens.weight
        : try projector.parameter("weight", [c.vocabularySize, width], c.initializer, keepsType: true)
      if isShared { tying.share(matrix) }
      let decoder = Linear(projector, sharing: matrix, bias: bias, role: .languageModelHead)
      let activation = try Nonlinearity(c.activation, in: scope / "activation")
      let head = MaskedLanguageModelHead(dense: dense, activation: activation, norm: norm, decoder: decoder)
      return MaskedPredictor(encoder, head: head)
    case .sequenceClassification:
      let head = ClassificationHead(
        dense: try linear("pre_classifier", out: width, .pooler), activation: .relu,
        output: try linear("classifier", out: try request.labelCount(), .classifier), dropout: c.classifierDropout)
      return TextClassifier(encoder: encoder, head: head, problem: try request.problem())
    case .tokenClassification:
      let output = try linear("classifier", out: try request.labelCount(), .classifier)
      return TokenLabeler(encoder, head: ClassificationHead(output: output, dropout: c.dropout))
    case .causalLM, .seq2seqLM, .preference:
      throw request.unsupportedTask("distilbert", supported: ModelFamily.distilBert.tasks)
    }
  }
}
