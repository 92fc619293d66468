import GraftBatching
import GraftLayers
import GraftTensors

/// T5, of both versions: pre-normed encoder and decoder with relative positions and nothing else added to their states
/// (Raffel et al. 2020; the gated version 1.1 after Shazeer 2020).
///
/// No layer has a bias and scores are not scaled: the initial values of the projections see to it.
public final class T5: SequenceToSequenceModel {
  public let modelType: String
  public let catalog: SiteCatalog
  public let vocabularySize: Int, hiddenSize: Int
  public let maximumLength: Int? = nil
  public let head: Linear
  public let decoderStartID: Int32
  public var generationStartID: Int32
  private let embeddings: (encoder: Embedding, decoder: Embedding)
  private let encoder: Half, decoder: Half
  private let outputScale: Float

  public struct Configuration {
    public var vocabularySize: Int, width: Int, headSize: Int, heads: Int, intermediateSize: Int
    public var encoderLayers: Int, decoderLayers: Int
    public var buckets: Int, maximumDistance: Int
    public var epsilon: Float, dropout: Float, initializerFactor: Float
    public var activation: NonlinearityName, isGated: Bool
    /// Version 1.0 divides what its head reads by the root of the width.
    public var scalesOutput: Bool
    public var decoderStartID: Int

    public init(_ config: ArchitectureConfiguration, modelType: String) throws(ArchitectureError) {
      let config = try config.resolved(as: modelType)
      vocabularySize = try config.count("vocab_size")
      width = try config.count("d_model")
      headSize = try config.count("d_kv")
      heads = try config.count("num_heads")
      intermediateSize = try config.count("d_ff")
      encoderLayers = try config.listCount("num_layers")
      decoderLayers = config.contains("num_decoder_layers") ? try config.listCount("num_decoder_layers") : encoderLayers
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
      scalesOutput = modelType == "t5" ? try config.bool("scale_decoder_outputs", default: isCalledTied) : false
      let start = ["decoder_start_token_id", "pad_token_id"].first(where: config.contains)
      decoderStartID = if let start { try config.token(start, vocabulary: vocabularySize) } else { 0 }
    }

    func initializer(_ fan: Int) -> Initializer { .normal(standardDeviation: initializerFactor / Float(fan).squareRoot()) }
  }

  public init(_ request: ModelRequest, modelType: String, in scope: Scope) throws {
    guard request.task == .seq2seqLM else { throw request.unsupportedTask(modelType, supported: [.seq2seqLM]) }
    let c = try Configuration(request.config, modelType: modelType)
    self.modelType = modelType
    catalog = scope.catalog
    (vocabularySize, hiddenSize, decoderStartID) = (c.vocabularySize, c.width, Int32(c.decoderStartID))
    generationStartID = decoderStartID
    let names = ["encoder", "decoder"].map { scope / $0 / "embed_tokens" }
    let tables = names.map { Tying(of: $0, to: scope / "shared", isOn: true) }
    let tying = Tying(of: scope / "lm_head", to: scope / "shared", isOn: true)
    let initializer = Initializer.normal(standardDeviation: c.initializerFactor)
    let embedding = try Embedding(
      scope / "shared", entries: c.vocabularySize, width: c.width, role: .tokenEmbedding, initializer: initializer)
    embeddings = (try tables[0].half(of: embedding, initializer), try tables[1].half(of: embedding, initializer))
    encoder = try Half(scope / "encoder", c, layers: c.encoderLayers, isDecoder: false)
    decoder = try Half(scope / "decoder", c, layers: c.decoderLayers, isDecoder: true)
    head = try tying.head(over: embedding, c.initializer(c.width))
    outputScale = c.scalesOutput ? 1 / Float(c.width).squareRoot() : 1
  }

  public func encode(_ input: SequenceInput, _ pass: Pass) -> EncoderStates {
    let embedded = embeddings.encoder.embedded(input, pass.withoutCache)
    return EncoderStates(encoder(embedded.rows, embedded.input, over: nil, pass.withoutCache), of: embedded)
  }

  public func decode(_ input: SequenceInput, over source: EncoderStates, _ pass: Pass) -> Tensor {
    let x = decoder(embeddings.decoder(Tensor(input.tokens), pass), decoder.blocks.afterPrefix(input, pass), over: source, pass)
    return outputScale == 1 ? x : outputScale * x
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
      blocks = TransformerStack(try (0..<layers).map { try T5.block(scope / "block" / $0, layer: $0, c, isDecoder: isDecoder) })
      positions = try RelativePositionBias(
        scope / "block" / 0 / "layer" / 0 / "SelfAttention" / "relative_attention_bias", buckets: c.buckets, heads: c.heads,
        maximumDistance: c.maximumDistance, isBidirectional: !isDecoder, initializer: c.initializer(c.width))
      norm = try Norm(scope / "final_layer_norm", width: c.width, epsilon: c.epsilon)
    }

    func callAsFunction(_ x: Tensor, _ input: SequenceInput, over source: EncoderStates?, _ pass: Pass) -> Tensor {
      var layout = input.layout(style, rotary: nil)
      layout.bias = positions.bias(reach: Int(input.positions.max() ?? 0), pass)
      let states = norm(blocks(pass.dropout(x, dropout, at: path + ".input"), layout, over: source, pass))
      return pass.dropout(states, dropout, at: path + ".output")
    }
  }

  private static func block(_ scope: Scope, layer: Int, _ c: Configuration, isDecoder: Bool) throws -> TransformerBlock {
    func sublayer(_ index: Int) -> Scope { scope / "layer" / index }
    func norm(_ index: Int) throws -> Norm { try Norm(sublayer(index) / "layer_norm", width: c.width, epsilon: c.epsilon) }
    func linear(_ scope: Scope, _ inputs: Int, _ outputs: Int, _ role: Role, fan: Int? = nil) throws -> Linear {
      try Linear(scope, in: inputs, out: outputs, role: role, initializer: c.initializer(fan ?? inputs))
    }
    func attention(_ scope: Scope, _ place: Attention.Place) throws -> Attention {
      let inner = c.heads * c.headSize
      return Attention(
        scope, layer: layer, place: place, query: try linear(scope / "q", c.width, inner, .query, fan: c.width * c.headSize),
        key: try linear(scope / "k", c.width, inner, .key), value: try linear(scope / "v", c.width, inner, .value),
        output: try linear(scope / "o", inner, c.width, .attentionOutput),
        heads: c.heads, keyValueHeads: c.heads, headSize: c.headSize, isRotary: false, scale: 1, dropout: c.dropout,
        scoreDropout: c.dropout)
    }
    let dense = sublayer(isDecoder ? 2 : 1) / "DenseReluDense"
    return TransformerBlock(
      .before, attention: try attention(sublayer(0) / "SelfAttention", isDecoder ? .decoder : .encoder), norm: try norm(0),
      cross: isDecoder ? (try attention(sublayer(1) / "EncDecAttention", .source), try norm(1)) : nil,
      feedForward: FeedForward(
        gate: c.isGated ? try linear(dense / "wi_0", c.width, c.intermediateSize, .gate) : nil,
        up: try linear(dense / (c.isGated ? "wi_1" : "wi"), c.width, c.intermediateSize, .up),
        down: try linear(dense / "wo", c.intermediateSize, c.width, .down), activation: try Nonlinearity(c.activation, in: dense / "act"),
        middleDropout: c.dropout,
        dropout: c.dropout),
      norm: try norm(isDecoder ? 2 : 1))
  }
}
