import GraftBatching
import GraftLayers
import GraftTensors

extension ModelFamily {
  /// BERT.
  public static let bert = ModelFamily(
    "bert", classNames: "Bert", tasks: [.maskedLM, .sequenceClassification, .tokenClassification], fixedStyle: .bidirectional,
    configuration: ConfigurationKeys(.bert + [.read("pad_token_id", 0, orNull: true)]),
    tensors: TensorNames(
      base: "bert", vocabulary: ["word_embeddings.weight", "predictions.bias", "predictions.decoder.weight", "predictions.decoder.bias"],
      classifiers: ["classifier", "cls.seq_relationship"], formerEnds: TensorNames.formerNorms),
    defaultTargets: Bert.defaultTargets, traits: [.pairsSentences, .marksSegments], build: Bert.build)
}

extension [ConfigurationKey] {
  /// The keys of BERT and RoBERTa.
  static let bert: [ConfigurationKey] =
    encoder + [
      .size("vocab_size"), .size("hidden_size"), .size("num_hidden_layers"), .size("num_attention_heads"), .size("intermediate_size"),
      .read("hidden_act", "gelu"), .read("hidden_dropout_prob", 0.1), .read("attention_probs_dropout_prob", 0.1),
      .read("max_position_embeddings", 512), .read("type_vocab_size", 2), .read("initializer_range", 0.02), .read("layer_norm_eps", 1e-12),
      .read("classifier_dropout", .null), .read("tie_word_embeddings", true),
    ]
}

/// BERT's encoder, which is RoBERTa's too: post-normed blocks over learned positions and segments (Devlin et al. 2019).
public final class Bert: EncodingModel {
  public let modelType: String
  public let catalog: SiteCatalog
  public let vocabularySize: Int, hiddenSize: Int
  public let maximumLength: Int?
  public var segmentCount: Int { segments.entries }
  let tokens: Embedding
  private let positions: Embedding, segments: Embedding
  private let norm: Norm
  private let blocks: TransformerStack
  private let firstPosition: Int32
  /// The token that RoBERTa does not count in its positions, and the place that it has.
  private let padding: Int32?
  private let dropout: Float

  /// The sizes and options of a model.
  package struct Configuration: TransformerConfiguration {
    package var dimensions: TransformerDimensions
    package var intermediateSize: Int, headSize: Int
    package var positions: Int, segments: Int
    /// The row of the first position.
    package var firstPosition = 0
    /// True where padding inside a text has no position, but the row of its own id (RoBERTa).
    package var skipsPadding = false
    /// The token whose vector is not trained.
    package var padding: Int?
    package var epsilon: Float, initializerRange: Float
    package var activation: NonlinearityName
    package var tiesHead: Bool
    package var dropout: Float, scoreDropout: Float, classifierDropout: Float

    /// - Parameter config: resolved for its family.
    /// - Throws: `ArchitectureError` for a value that is out of range, and for values that contradict each other.
    package init(_ config: ArchitectureConfiguration) throws(ArchitectureError) {
      dimensions = try TransformerDimensions(config)
      intermediateSize = try config.count("intermediate_size")
      headSize = try config.headSize(of: dimensions.hiddenSize, heads: dimensions.heads, "num_attention_heads")
      positions = try config.count("max_position_embeddings")
      segments = try config.count("type_vocab_size")
      padding = try config.optionalInt("pad_token_id")
      epsilon = try config.float("layer_norm_eps")
      initializerRange = try config.deviation("initializer_range")
      activation = try config.activation("hidden_act")
      tiesHead = try config.bool("tie_word_embeddings")
      dropout = try config.probability("hidden_dropout_prob")
      scoreDropout = try config.probability("attention_probs_dropout_prob")
      classifierDropout = config.contains("classifier_dropout") ? try config.probability("classifier_dropout") : dropout
    }

    var initializer: Initializer { .normal(standardDeviation: initializerRange) }
  }

  /// - Parameter scope: the root; the encoder is under the family's name.
  /// - Throws: `WeightError` and what the source throws.
  init(_ c: Configuration, modelType: String, in scope: Scope) throws {
    self.modelType = modelType
    catalog = scope.catalog
    (vocabularySize, hiddenSize, dropout) = (c.vocabularySize, c.hiddenSize, c.dropout)
    firstPosition = Int32(c.firstPosition)
    maximumLength = c.positions - c.firstPosition
    let model = scope / modelType
    let embeddings = model / "embeddings"
    func table(_ name: String, _ entries: Int, _ role: Role?, padding: Int? = nil) throws -> Embedding {
      try Embedding(embeddings / name, entries: entries, width: c.hiddenSize, role: role, padding: padding, initializer: c.initializer)
    }
    padding = c.skipsPadding ? c.padding.map(Int32.init) : nil
    tokens = try table("word_embeddings", c.vocabularySize, .tokenEmbedding, padding: c.padding)
    positions = try table("position_embeddings", c.positions, .positionEmbedding, padding: padding.map(Int.init))
    segments = try table("token_type_embeddings", c.segments, nil)
    norm = try Norm(embeddings / "LayerNorm", width: c.hiddenSize, epsilon: c.epsilon, kind: .layer, bias: true)
    blocks = TransformerStack(try (0..<c.layers).map { try Self.block(model / "encoder" / "layer" / $0, c) })
  }

  public var outline: ModelOutline? {
    ModelOutline(positions: learnedPositions, finalNorm: nil, stacks: [.init("encoder", blocks)])
  }

  public func encode(_ input: SequenceInput, _ pass: Pass) -> EncoderStates {
    let pass = pass.withoutState
    let embedded = tokens.embedded(input, pass)
    let input = embedded.input
    let segmentIDs = input.typeIDs ?? Array(repeating: 0, count: input.tokens.count)
    let x =
      embedded.rows + segments(Tensor(segmentIDs), pass) + positions(Tensor(places(input)), pass)
    let layout = input.layout(.bidirectional)
    return EncoderStates(blocks(pass.dropout(norm(x), dropout, at: norm.path), layout, pass), of: embedded)
  }

  /// The rows of the table of positions.
  private func places(_ input: SequenceInput) -> [Int32] {
    var places = input.positions.map { $0 + firstPosition }
    // Virtual tokens are no padding, and with them nothing is.
    guard let padding, tokens.prompt == nil, input.tokens.contains(padding) else { return places }
    for span in input.spans {
      var count: Int32 = 0
      for row in span.range {
        count += input.tokens[row] == padding ? 0 : 1
        places[row] = input.tokens[row] == padding ? padding : padding + count
      }
    }
    return places
  }

  private static func block(_ scope: Scope, _ c: Configuration) throws -> TransformerBlock {
    let attention = scope / "attention"
    let own = attention / "self"
    let width = c.hiddenSize
    func linear(_ scope: Scope, _ inputs: Int, _ outputs: Int, _ role: Role) throws -> Linear {
      try Linear(scope, in: inputs, out: outputs, bias: true, role: role, initializer: c.initializer)
    }
    func norm(_ scope: Scope) throws -> Norm {
      try Norm(scope / "LayerNorm", width: width, epsilon: c.epsilon, kind: .layer, bias: true)
    }
    let selfAttention = Attention(
      attention, AttentionOptions(heads: c.heads, headSize: c.headSize, dropout: c.scoreDropout),
      .separate(
        query: try linear(own / "query", width, width, .query), key: try linear(own / "key", width, width, .key),
        value: try linear(own / "value", width, width, .value)),
      output: try linear(attention / "output" / "dense", width, width, .attentionOutput), dropout: c.dropout)
    let attentionNorm = try norm(attention / "output")
    let feedForward = FeedForward(
      .plain(up: try linear(scope / "intermediate" / "dense", width, c.intermediateSize, .up)),
      down: try linear(scope / "output" / "dense", c.intermediateSize, width, .down),
      activation: try Nonlinearity(c.activation, in: scope / "intermediate" / "intermediate_act_fn"), dropout: c.dropout)
    return TransformerBlock(
      at: scope, Residual(.after(attentionNorm), selfAttention), Residual(.after(try norm(scope / "output")), feedForward))
  }
}

extension Bert {
  /// PEFT's targets of BERT and RoBERTa.
  static let defaultTargets = DefaultTargets(
    scaled: [.key, .value, .attentionOutput, .down], scaledInputs: [.attentionOutput, .down])

  /// Builds BERT for a task.
  @Sendable static func build(_ request: ModelRequest, in scope: Scope) throws -> any Model {
    let c = try Configuration(request.config)
    let tying = Tying(of: scope / "cls" / "predictions" / "decoder", to: scope / "bert" / "embeddings" / "word_embeddings", isOn: c.tiesHead)
    let bert = try Bert(c, modelType: "bert", in: scope)
    if request.isHeadless { return bert }
    func linear(_ scope: Scope, out outputs: Int, _ role: Role) throws -> Linear {
      try Linear(scope, in: c.hiddenSize, out: outputs, bias: true, role: role, initializer: c.initializer, fallsBack: true)
    }
    func pooler() throws -> Linear { try linear(scope / "bert" / "pooler" / "dense", out: c.hiddenSize, .pooler) }
    switch request.task {
    case .maskedLM:
      let head = try bert.predictionHead(c, tying, in: scope / "cls" / "predictions")
      guard request.pairsSentences else { return MaskedPredictor(bert, head: head) }
      let pairs = try linear(scope / "cls" / "seq_relationship", out: 2, .classifier)
      return PairPredictor(bert, head: head, pairHead: ClassificationHead(dense: try pooler(), activation: .tanh, output: pairs))
    case .sequenceClassification:
      // The head that pre-training had, which tells whether the second sentence follows the first.
      let architectures = request.config.json["architectures"]?.array?.compactMap(\.string) ?? []
      let isNextSentence = architectures.contains("BertForNextSentencePrediction")
      let classifier = isNextSentence ? scope / "cls" / "seq_relationship" : scope / "classifier"
      let output = try linear(classifier, out: try request.labelCount(), .classifier)
      let head = ClassificationHead(
        dense: try pooler(), activation: .tanh, output: output, dropout: isNextSentence ? 0 : c.classifierDropout)
      return TextClassifier(encoder: bert, head: head, problem: try request.problem())
    case .tokenClassification:
      let output = try linear(scope / "classifier", out: try request.labelCount(), .classifier)
      return TokenLabeler(bert, head: ClassificationHead(output: output, dropout: c.classifierDropout))
    case .causalLM, .seq2seqLM, .preference:
      throw request.unsupportedTask("bert", supported: ModelFamily.bert.tasks)
    }
  }

  private func predictionHead(_ c: Configuration, _ tying: Tying, in scope: Scope) throws -> MaskedLanguageModelHead {
    let transform = scope / "transform"
    let dense = try Linear(transform / "dense", in: hiddenSize, out: hiddenSize, bias: true, initializer: c.initializer)
    let norm = try Norm(transform / "LayerNorm", width: hiddenSize, epsilon: c.epsilon, kind: .layer, bias: true)
    let decoder = try MaskedPredictor.decoder(in: scope, over: tokens, tying, c.initializer)
    let activation = try Nonlinearity(c.activation, in: transform / "transform_act_fn")
    return MaskedLanguageModelHead(dense: dense, activation: activation, norm: norm, decoder: decoder)
  }
}
