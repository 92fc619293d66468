import GraftBatching
import GraftLayers
import GraftTensors

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

  public struct Configuration {
    public var vocabularySize: Int, hiddenSize: Int, intermediateSize: Int, layers: Int, heads: Int, headSize: Int, positions: Int
    public var initializer: Initializer, positionInitializer: Initializer
    /// The token whose vector is not trained.
    public var padding: Int?
    public var activation: NonlinearityName
    public var tiesHead: Bool
    public var dropout: Float, scoreDropout: Float, classifierDropout: Float

    public init(_ config: ArchitectureConfiguration) throws(ArchitectureError) {
      let config = try config.resolved(as: "distilbert")
      vocabularySize = try config.count("vocab_size")
      hiddenSize = try config.count("dim")
      intermediateSize = try config.count("hidden_dim")
      layers = try config.listCount("n_layers")
      heads = try config.count("n_heads")
      headSize = try config.headSize(of: hiddenSize, heads: heads, "n_heads")
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
    blocks = TransformerStack(try (0..<c.layers).map { try Self.block(model / "transformer" / "layer" / $0, layer: $0, c) })
  }

  public func encode(_ input: SequenceInput, _ pass: Pass) -> EncoderStates {
    let pass = pass.withoutCache
    let embedded = tokens.embedded(input, pass)
    let layout = embedded.input.layout(.bidirectional, rotary: nil)
    let x = embedded.rows + positions(Tensor(embedded.input.positions), pass)
    return EncoderStates(blocks(pass.dropout(norm(x), dropout, at: norm.path), layout, pass), of: embedded)
  }

  private static func block(_ scope: Scope, layer: Int, _ c: Configuration) throws -> TransformerBlock {
    let attention = scope / "attention"
    let ffn = scope / "ffn"
    let width = c.hiddenSize
    func linear(_ scope: Scope, _ inputs: Int, _ outputs: Int, _ role: Role) throws -> Linear {
      try Linear(scope, in: inputs, out: outputs, bias: true, role: role, initializer: c.initializer)
    }
    func norm(_ name: String) throws -> Norm { try Norm(scope / name, width: width, epsilon: epsilon, kind: .layer, bias: true) }
    return TransformerBlock(
      .after,
      attention: Attention(
        attention, layer: layer, query: try linear(attention / "q_lin", width, width, .query),
        key: try linear(attention / "k_lin", width, width, .key), value: try linear(attention / "v_lin", width, width, .value),
        output: try linear(attention / "out_lin", width, width, .attentionOutput),
        heads: c.heads, keyValueHeads: c.heads, headSize: c.headSize, isRotary: false, scoreDropout: c.scoreDropout),
      norm: try norm("sa_layer_norm"),
      feedForward: FeedForward(
        gate: nil, up: try linear(ffn / "lin1", width, c.intermediateSize, .up),
        down: try linear(ffn / "lin2", c.intermediateSize, width, .down),
        activation: try Nonlinearity(c.activation, in: ffn / "activation"), dropout: c.dropout),
      norm: try norm("output_layer_norm"))
  }

  /// DistilBERT for a task.
  static func build(_ request: ModelRequest, in scope: Scope) throws -> any Model {
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
    case .causalLM, .seq2seqLM:
      throw request.unsupportedTask("distilbert", supported: [.maskedLM, .sequenceClassification, .tokenClassification])
    }
  }
}
