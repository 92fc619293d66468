import GraftBatching
import GraftLayers
import GraftTensors

/// BART: the Transformer with learned positions, normed embeddings and GELU, trained to undo noise (Lewis et al. 2020).
public final class Bart: SequenceToSequenceModel {
  public let modelType = "bart"
  public let catalog: SiteCatalog
  public let vocabularySize: Int, hiddenSize: Int
  public let maximumLength: Int?
  public let head: Linear
  public let decoderStartID: Int32
  private let embedding: Embedding
  private let encoder: Half, decoder: Half
  private let embeddingScale: Float

  /// The tables of positions start with rows for padding that are never read.
  private static let positionOffset = 2

  /// - Throws: `ArchitectureError` for a configuration that contradicts itself, `WeightError` and what the source throws.
  public init(_ request: ModelRequest, in scope: Scope) throws {
    guard request.task == .seq2seqLM else { throw request.unsupportedTask("bart", supported: [.seq2seqLM]) }
    let config = request.config
    try request.require("normalize_before", is: false)
    try request.require("normalize_embedding", is: true)
    try request.require("add_final_layer_norm", is: false)
    try request.require("static_position_embeddings", is: false)
    catalog = scope.catalog
    let width = try config.count("d_model"), vocabulary = try config.count("vocab_size")
    let positions = try config.count("max_position_embeddings", default: 1024)
    (vocabularySize, hiddenSize, maximumLength) = (vocabulary, width, positions)
    decoderStartID = try config.tokenID(
      "decoder_start_token_id", default: try config.tokenIDs("eos_token_id").first.map(Int.init) ?? 2, vocabulary: vocabulary)
    embeddingScale = try config.bool("scale_embedding", default: false) ? Float(width).squareRoot() : 1
    let initializer = Initializer.normal(standardDeviation: try config.float("init_std", default: 0.02))
    let dropout = try config.float("dropout", default: 0.1)
    let activation = try config.activation("activation_function", default: "gelu")
    let middleDropout = try config.float("activation_dropout", default: 0)
    let scoreDropout = try config.float("attention_dropout", default: 0)
    let model = scope / "model"
    embedding = try Embedding(model / "shared", entries: vocabulary, width: width, role: .tokenEmbedding, initializer: initializer)
    func half(_ name: String) throws -> Half {
      let layer = Transformer.Layer(
        width: width, heads: try config.count("\(name)_attention_heads"), intermediateSize: try config.count("\(name)_ffn_dim"),
        hasAttentionBias: true, activation: activation, initializer: initializer, dropout: dropout, middleDropout: middleDropout,
        scoreDropout: scoreDropout)
      try layer.validate(config, key: "\(name)_attention_heads")
      return try Half(
        model / name, layer, layers: try config.count("\(name)_layers"), positions: positions + Self.positionOffset,
        isDecoder: name == "decoder", initializer: initializer)
    }
    encoder = try half("encoder")
    decoder = try half("decoder")
    let bias = try scope.buffer("final_logits_bias", [1, vocabulary], .zeros).reshaped(to: [vocabulary])
    let isTied = try config.bool("tie_word_embeddings", default: true)
    let matrix =
      isTied
      ? embedding.weight : try (scope / "lm_head").parameter("weight", [vocabulary, width], initializer, keepsType: true)
    head = Linear(
      scope / "lm_head", sharing: matrix, bias: Parameter(path: "final_logits_bias", value: bias), role: .languageModelHead)
  }

  public func encode(_ input: SequenceInput, _ pass: Pass) -> EncoderStates {
    let embedded = embedding.embedded(input, pass.withoutCache, scale: embeddingScale)
    return EncoderStates(encoder(embedded.rows, embedded.input, over: nil, pass.withoutCache), of: embedded)
  }

  public func decode(_ input: SequenceInput, over source: EncoderStates, _ pass: Pass) -> Tensor {
    let x = embedding(Tensor(input.tokens), pass)
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
      _ scope: Scope, _ layer: Transformer.Layer, layers: Int, positions count: Int, isDecoder: Bool, initializer: Initializer
    ) throws {
      positions = try Embedding(
        scope / "embed_positions", entries: count, width: layer.width, role: .positionEmbedding, initializer: initializer)
      norm = try layer.norm(scope / "layernorm_embedding")
      blocks = TransformerStack(try (0..<layers).map { try layer.block(scope / "layers" / $0, layer: $0, isDecoder: isDecoder) })
      style = isDecoder ? .causal : .bidirectional
      dropout = layer.dropout
    }

    func callAsFunction(_ x: Tensor, _ input: SequenceInput, over source: EncoderStates?, _ pass: Pass) -> Tensor {
      let places = positions(Tensor(input.positions.map { $0 + Int32(Bart.positionOffset) }), pass)
      return blocks(pass.dropout(norm(x + places), dropout, at: norm.path), input.layout(style, rotary: nil), over: source, pass)
    }
  }
}
