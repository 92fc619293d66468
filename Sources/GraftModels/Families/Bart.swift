import GraftBatching
import GraftCheckpoints
import GraftLayers
import GraftTensors

extension ModelFamily {
  /// BART.
  public static let bart = ModelFamily(
    "bart", classNames: "Bart", tasks: [.seq2seqLM], fixedStyle: .causal,
    configuration: ConfigurationKeys(
      .encoderDecoder + [
        .size("vocab_size"), .size("d_model"), .size("encoder_layers"), .size("decoder_layers"), .size("encoder_attention_heads"),
        .size("decoder_attention_heads"), .size("encoder_ffn_dim"), .size("decoder_ffn_dim"), .read("max_position_embeddings", 1024),
        .read("activation_function", "gelu"), .read("dropout", 0.1, orNull: true), .read("attention_dropout", 0.0, orNull: true),
        .read("activation_dropout", 0.0, orNull: true), .read("encoder_layerdrop", 0.0, orNull: true),
        .read("decoder_layerdrop", 0.0, orNull: true), .read("init_std", 0.02), .read("scale_embedding", false),
        .read("pad_token_id", 1, orNull: true), .read("decoder_start_token_id", 2, orNull: true), .read("tie_word_embeddings", true),
        .only("normalize_before", false), .only("normalize_embedding", true), .only("add_final_layer_norm", false),
        .only("static_position_embeddings", false),
      ] + ConfigurationKey.generation("forced_bos_token_id", "forced_eos_token_id"),
      synonyms: ["num_attention_heads": "encoder_attention_heads", "hidden_size": "d_model", "num_hidden_layers": "encoder_layers"]),
    dimensions: Bart.keys,
    tensors: TensorNames(
      base: "model", vocabulary: ["shared.weight", "embed_tokens.weight", "lm_head.weight", "final_logits_bias"],
      formerEnds: TensorNames.formerShared),
    defaultTargets: DefaultTargets(
      scaled: [.query, .value, .down], scaledInputs: [.down],
      norms: ["self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"]),
    traits: [.tiesByValue]
  ) { try Bart($0.config, in: $1) }
}

/// BART: the Transformer with learned positions, normed embeddings and GELU, trained to undo noise (Lewis et al. 2020).
public final class Bart: SequenceToSequenceModel {
  public let modelType = "bart"
  public let catalog: SiteCatalog
  public let vocabularySize: Int, hiddenSize: Int
  public let maximumLength: Int?
  public let head: LanguageModelHead
  public let decoderStartID: Int32
  public var generationStartID: Int32
  private let embeddings: (encoder: Embedding, decoder: Embedding)
  private let encoder: Half, decoder: Half
  private let embeddingScale: Float

  /// The tables of positions start with rows for padding that are never read.
  private static let positionOffset = 2

  static let keys = DimensionKeys(hiddenSize: "d_model", layers: "encoder_layers", heads: "encoder_attention_heads")

  /// - Parameter config: resolved for its family.
  /// - Throws: `ArchitectureError` for a configuration that contradicts itself, `WeightError` and what the source throws.
  init(_ config: ArchitectureConfiguration, in scope: Scope) throws {
    catalog = scope.catalog
    let dimensions = try TransformerDimensions(config, Self.keys)
    let width = dimensions.hiddenSize
    let vocabulary = dimensions.vocabularySize
    let positions = try config.count("max_position_embeddings")
    (vocabularySize, hiddenSize, maximumLength) = (vocabulary, width, positions)
    decoderStartID = Int32(config.contains("decoder_start_token_id") ? try config.token("decoder_start_token_id", vocabulary: vocabulary) : 2)
    generationStartID = decoderStartID
    embeddingScale = try config.bool("scale_embedding") ? Float(width).squareRoot() : 1
    let initializer = Initializer.normal(standardDeviation: try config.deviation("init_std"))
    let dropout = try config.probability("dropout")
    let padding = try config.optionalInt("pad_token_id")
    let activation = try config.activation("activation_function")
    let middleDropout = try config.probability("activation_dropout")
    let scoreDropout = try config.probability("attention_dropout")
    let model = scope / "model"
    let isTied = try config.bool("tie_word_embeddings")
    let tables = ["encoder", "decoder"].map { Tying(of: model / $0 / "embed_tokens", to: model / "shared", isOn: isTied) }
    let tying = Tying(of: scope / "lm_head", to: model / "shared", isOn: isTied)
    let embedding = try Embedding(
      model / "shared", entries: vocabulary, width: width, role: .tokenEmbedding, padding: padding, initializer: initializer)
    let halves = try tables.map { try $0.half(of: embedding, padding: padding, initializer) }
    embeddings = (halves[0], halves[1])
    func half(_ name: String) throws -> Half {
      let layer = Transformer.Layer(
        width: width, heads: try config.count("\(name)_attention_heads"), intermediateSize: try config.count("\(name)_ffn_dim"),
        hasAttentionBias: true, activation: activation, initializer: initializer, dropout: dropout, middleDropout: middleDropout,
        scoreDropout: scoreDropout)
      try layer.validate(config, key: "\(name)_attention_heads")
      return try Half(
        model / name, layer, layers: try config.listCount("\(name)_layers"), layerDrop: try config.probability("\(name)_layerdrop"),
        positions: positions + Self.positionOffset,
        isDecoder: name == "decoder", initializer: initializer)
    }
    encoder = try half("encoder")
    decoder = try half("decoder")
    let bias = try scope.buffer("final_logits_bias", [1, vocabulary], .zeros).reshaped(to: [vocabulary])
    let isShared = try tying.isShared()
    if isShared { tying.share(embedding.weight) }
    let matrix =
      isShared
      ? embedding.weight : try (scope / "lm_head").parameter("weight", [vocabulary, width], initializer, keepsType: true)
    head = LanguageModelHead(
      Linear(scope / "lm_head", sharing: matrix, bias: Parameter(path: "final_logits_bias", value: bias), role: .languageModelHead))
  }

  public var outline: ModelOutline? {
    ModelOutline(
      positions: learnedPositions, finalNorm: nil,
      stacks: [.init("encoder", encoder.blocks), .init("decoder", decoder.blocks)])
  }

  public func encode(_ input: SequenceInput, _ pass: Pass) -> EncoderStates {
    let embedded = embeddings.encoder.embedded(input, pass.withoutState, scale: embeddingScale)
    return EncoderStates(encoder(embedded.rows, embedded.input, over: nil, pass.withoutState), of: embedded)
  }

  public func decode(_ input: SequenceInput, over source: EncoderStates, _ pass: Pass) -> Tensor {
    let x = embeddings.decoder(Tensor(input.tokens), pass)
    return decoder(embeddingScale == 1 ? x : embeddingScale * x, decoder.blocks.afterPrefix(input, pass), over: source, pass)
  }

  /// The encoder or the decoder.
  private struct Half {
    let positions: Embedding
    let norm: Norm
    let blocks: TransformerStack
    let style: AttentionStyle
    let dropout: Float

    init(
      _ scope: Scope, _ layer: Transformer.Layer, layers: Int, layerDrop: Float, positions count: Int, isDecoder: Bool, initializer: Initializer
    ) throws {
      positions = try Embedding(
        scope / "embed_positions", entries: count, width: layer.width, role: .positionEmbedding, initializer: initializer)
      norm = try layer.norm(scope / "layernorm_embedding")
      blocks = TransformerStack(
        try (0..<layers).map { try layer.block(scope / "layers" / $0, isDecoder: isDecoder) }, path: scope.path, layerDrop: layerDrop)
      style = isDecoder ? .causal : .bidirectional
      dropout = layer.dropout
    }

    func callAsFunction(_ x: Tensor, _ input: SequenceInput, over source: EncoderStates?, _ pass: Pass) -> Tensor {
      let places = positions(Tensor(input.positions.map { $0 + Int32(Bart.positionOffset) }), pass)
      return blocks(pass.dropout(norm(x + places), dropout, at: norm.path), input.layout(style, over: source), pass)
    }
  }
}
