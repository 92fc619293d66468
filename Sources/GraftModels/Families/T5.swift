import GraftBatching
import GraftCheckpoints
import GraftLayers
import GraftTensors

extension ModelFamily {
  /// T5, of both versions.
  public static let t5 = T5.family(
    "t5", classNames: "T5",
    keys: [
      .read("feed_forward_proj", "relu"), .optional("tie_word_embeddings"), .optional("scale_decoder_outputs"), .optional("decoder_start_token_id"),
    ],
    defaultTargets: DefaultTargets(scaled: [.key, .value, .down], scaledInputs: [.down], norms: ["layer_norm", "final_layer_norm"]))

  /// mT5: version 1.1 of T5 for a hundred languages (Xue et al. 2021).
  public static let mt5 = T5.family(
    "mt5", classNames: "MT5",
    keys: [.read("feed_forward_proj", "gated-gelu"), .read("decoder_start_token_id", 0, orNull: true)]
      + ConfigurationKey.withoutEffect("tie_word_embeddings"),
    defaultTargets: DefaultTargets(scaled: [.key, .value, .up], norms: ["layer_norm", "final_layer_norm"])
  ) { $0.scalesOutput = false }
}

/// T5, of both versions: pre-normed encoder and decoder with relative positions and nothing else added to their states
/// (Raffel et al. 2020; the gated version 1.1 after Shazeer 2020).
///
/// No layer has a bias and scores are not scaled: the initial values of the projections see to it.
public final class T5: SequenceToSequenceModel {
  public let modelType: String
  public let catalog: SiteCatalog
  public let vocabularySize: Int, hiddenSize: Int
  public let maximumLength: Int? = nil
  public let head: LanguageModelHead
  public let decoderStartID: Int32
  public var generationStartID: Int32
  private let embeddings: (encoder: Embedding, decoder: Embedding)
  private let encoder: Half, decoder: Half

  /// The sizes and options of a model.
  package struct Configuration: TransformerConfiguration {
    package var dimensions: TransformerDimensions
    package var headSize: Int, intermediateSize: Int
    package var decoderLayers: Int
    package var buckets: Int, maximumDistance: Int
    package var epsilon: Float, dropout: Float, initializerFactor: Float
    package var activation: NonlinearityName, isGated: Bool
    /// True for version 1.0, which divides the inputs of its head by the root of the width.
    package var scalesOutput: Bool
    package var decoderStartID: Int

    static let keys = DimensionKeys(hiddenSize: "d_model", layers: "num_layers", heads: "num_heads")

    /// - Parameter config: resolved for its family.
    /// - Throws: `ArchitectureError` for a value that is out of range, and for values that contradict each other.
    package init(_ config: ArchitectureConfiguration) throws(ArchitectureError) {
      dimensions = try TransformerDimensions(config, Self.keys)
      headSize = try config.count("d_kv")
      intermediateSize = try config.count("d_ff")
      decoderLayers = config.contains("num_decoder_layers") ? try config.listCount("num_decoder_layers") : dimensions.layers
      buckets = try config.count("relative_attention_num_buckets")
      maximumDistance = try config.count("relative_attention_max_distance")
      guard buckets >= 4, maximumDistance > buckets / 2 else {
        throw config.fail(
          "relative_attention_num_buckets", "\(buckets) buckets up to distance \(maximumDistance) do not fit each other")
      }
      epsilon = try config.float("layer_norm_epsilon")
      dropout = try config.probability("dropout_rate")
      initializerFactor = try config.deviation("initializer_factor")
      let name = try config.string("feed_forward_proj")
      isGated = name.hasPrefix("gated-")
      // Version 1.1 says "gelu" and means its approximation.
      let plain = name == "gated-gelu" ? "gelu_new" : isGated ? String(name.dropFirst("gated-".count)) : name
      activation = try config.activation("feed_forward_proj", named: plain)
      // Both versions are tied, unless their files hold two matrices; older files of version 1.1 call theirs untied.
      let isCalledTied = try config.bool("tie_word_embeddings", default: true)
      scalesOutput = try config.bool("scale_decoder_outputs", default: isCalledTied)
      let start = ["decoder_start_token_id", "pad_token_id"].first(where: config.contains)
      decoderStartID = if let start { try config.token(start, vocabulary: dimensions.vocabularySize) } else { 0 }
    }

    func initializer(_ fan: Int) -> Initializer { .normal(standardDeviation: initializerFactor / Float(fan).squareRoot()) }
  }

  /// - Throws: `WeightError` and what the source throws.
  init(_ c: Configuration, modelType: String, in scope: Scope) throws {
    self.modelType = modelType
    catalog = scope.catalog
    (vocabularySize, hiddenSize, decoderStartID) = (c.vocabularySize, c.hiddenSize, Int32(c.decoderStartID))
    generationStartID = decoderStartID
    let names = ["encoder", "decoder"].map { scope / $0 / "embed_tokens" }
    let tables = names.map { Tying(of: $0, to: scope / "shared", isOn: true) }
    let tying = Tying(of: scope / "lm_head", to: scope / "shared", isOn: true)
    let initializer = Initializer.normal(standardDeviation: c.initializerFactor)
    let embedding = try Embedding(
      scope / "shared", entries: c.vocabularySize, width: c.hiddenSize, role: .tokenEmbedding, initializer: initializer)
    embeddings = (try tables[0].half(of: embedding, initializer), try tables[1].half(of: embedding, initializer))
    encoder = try Half(scope / "encoder", c, layers: c.layers, isDecoder: false)
    decoder = try Half(scope / "decoder", c, layers: c.decoderLayers, isDecoder: true)
    let scale = c.scalesOutput ? 1 / Float(c.hiddenSize).squareRoot() : 1
    head = try tying.head(over: embedding, c.initializer(c.hiddenSize), scale: scale)
  }

  public var outline: ModelOutline? {
    let (buckets, distance) = (encoder.positions.table.entries, encoder.positions.maximumDistance)
    return ModelOutline(
      positions: "relative, \(buckets) buckets to a distance of \(distance)", finalNorm: decoder.norm,
      stacks: [.init("encoder", encoder.blocks), .init("decoder", decoder.blocks)])
  }

  public func encode(_ input: SequenceInput, _ pass: Pass) -> EncoderStates {
    let embedded = embeddings.encoder.embedded(input, pass.withoutState)
    return EncoderStates(encoder(embedded.rows, embedded.input, over: nil, pass.withoutState), of: embedded)
  }

  public func decode(_ input: SequenceInput, over source: EncoderStates, _ pass: Pass) -> Tensor {
    decoder(embeddings.decoder(Tensor(input.tokens), pass), decoder.blocks.afterPrefix(input, pass), over: source, pass)
  }

  /// The encoder or the decoder: blocks that share one table of relative positions, and a norm.
  private struct Half {
    let path: String
    let blocks: TransformerStack
    let positions: RelativePositionBias
    let norm: Norm
    let style: AttentionStyle
    let dropout: Float

    init(_ scope: Scope, _ c: Configuration, layers: Int, isDecoder: Bool) throws {
      path = scope.path
      style = isDecoder ? .causal : .bidirectional
      dropout = c.dropout
      blocks = TransformerStack(try (0..<layers).map { try T5.block(scope / "block" / $0, c, isDecoder: isDecoder) })
      positions = try RelativePositionBias(
        scope / "block" / 0 / "layer" / 0 / "SelfAttention" / "relative_attention_bias", buckets: c.buckets, heads: c.heads,
        maximumDistance: c.maximumDistance, isBidirectional: !isDecoder, initializer: c.initializer(c.hiddenSize))
      norm = try Norm(scope / "final_layer_norm", width: c.hiddenSize, epsilon: c.epsilon)
    }

    func callAsFunction(_ x: Tensor, _ input: SequenceInput, over source: EncoderStates?, _ pass: Pass) -> Tensor {
      var layout = input.layout(style, over: source)
      layout.bias = positions.bias(upTo: Int(input.positions.max() ?? 0), pass)
      let states = norm(blocks(pass.dropout(x, dropout, at: path + ".input"), layout, pass))
      return pass.dropout(states, dropout, at: path + ".output")
    }
  }

  private static func block(_ scope: Scope, _ c: Configuration, isDecoder: Bool) throws -> TransformerBlock {
    func sublayer(_ index: Int) -> Scope { scope / "layer" / index }
    func norm(_ index: Int) throws -> Norm { try Norm(sublayer(index) / "layer_norm", width: c.hiddenSize, epsilon: c.epsilon) }
    func linear(_ scope: Scope, _ inputs: Int, _ outputs: Int, _ role: Role, fan: Int? = nil) throws -> Linear {
      try Linear(scope, in: inputs, out: outputs, role: role, initializer: c.initializer(fan ?? inputs))
    }
    func attention(_ scope: Scope, _ place: Attention.Place) throws -> Attention {
      let inner = c.heads * c.headSize
      return Attention(
        scope, place: place, AttentionOptions(heads: c.heads, headSize: c.headSize, scale: 1, dropout: c.dropout),
        .separate(
          query: try linear(scope / "q", c.hiddenSize, inner, .query, fan: c.hiddenSize * c.headSize),
          key: try linear(scope / "k", c.hiddenSize, inner, .key), value: try linear(scope / "v", c.hiddenSize, inner, .value)),
        output: try linear(scope / "o", inner, c.hiddenSize, .attentionOutput), dropout: c.dropout)
    }
    func residual(_ index: Int, _ sublayer: any Sublayer) throws -> Residual { Residual(.before(try norm(index)), sublayer) }
    var residuals = [try residual(0, try attention(sublayer(0) / "SelfAttention", isDecoder ? .decoder : .encoder))]
    if isDecoder { residuals.append(try residual(1, try attention(sublayer(1) / "EncDecAttention", .source))) }
    let last = residuals.count
    let dense = sublayer(last) / "DenseReluDense"
    let gate = c.isGated ? try linear(dense / "wi_0", c.hiddenSize, c.intermediateSize, .gate) : nil
    let up = try linear(dense / (c.isGated ? "wi_1" : "wi"), c.hiddenSize, c.intermediateSize, .up)
    let feedForward = FeedForward(
      gate.map { .gated(gate: $0, up: up) } ?? .plain(up: up),
      down: try linear(dense / "wo", c.intermediateSize, c.hiddenSize, .down), activation: try Nonlinearity(c.activation, in: dense / "act"),
      middleDropout: c.dropout, dropout: c.dropout)
    return TransformerBlock(at: scope, residuals + [try residual(last, feedForward)])
  }
}

extension T5 {
  /// One of the versions.
  /// - Parameters:
  ///   - keys: the keys in which the versions' configurations differ.
  ///   - adjust: sets the options that the version's configuration does not name.
  static func family(
    _ modelType: String, classNames: ModelFamily.ClassNames, keys: [ConfigurationKey], defaultTargets: DefaultTargets,
    adjust: @escaping @Sendable (inout Configuration) -> Void = { _ in }
  ) -> ModelFamily {
    ModelFamily(
      modelType, classNames: classNames, tasks: [.seq2seqLM], fixedStyle: .causal,
      configuration: ConfigurationKeys(
        .encoderDecoder + [
          .size("vocab_size"), .size("d_model"), .size("d_kv"), .size("d_ff"), .size("num_layers"), .size("num_heads"),
          .read("num_decoder_layers", .null), .read("relative_attention_num_buckets", 32), .read("relative_attention_max_distance", 128),
          .read("dropout_rate", 0.1), .read("layer_norm_epsilon", 1e-6), .read("initializer_factor", 1.0),
          .read("pad_token_id", 0, orNull: true),
        ] + keys,
        synonyms: ["hidden_size": "d_model", "num_attention_heads": "num_heads", "num_hidden_layers": "num_layers", "head_dim": "d_kv"]),
      dimensions: Configuration.keys,
      tensors: TensorNames(
        base: nil, vocabulary: ["shared.weight", "embed_tokens.weight", "lm_head.weight"], formerEnds: TensorNames.formerShared),
      defaultTargets: defaultTargets, traits: [.tiesByValue]
    ) { request, scope in
      var c = try Configuration(request.config)
      adjust(&c)
      return try T5(c, modelType: modelType, in: scope)
    }
  }
}
