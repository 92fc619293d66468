import GraftBatching
import GraftCheckpoints
import GraftLayers
import GraftTensors

extension ModelFamily {
  /// The Transformer, which is no class of the library of that name.
  public static let transformer = ModelFamily(
    "transformer", classNames: nil, tasks: [.seq2seqLM], fixedStyle: .causal,
    configuration: ConfigurationKeys(
      .common + ConfigurationKey.generation("eos_token_id") + [
        .size("vocab_size"), .read("d_model", 512), .read("num_heads", 8), .read("num_layers", 6), .read("num_decoder_layers", .null),
        .read("d_ff", .null), .read("dropout", 0.1), .read("activation_function", "relu"), .optional("decoder_start_token_id"),
        .optional("bos_token_id"), .optional("pad_token_id"),
      ]),
    dimensions: Transformer.keys,
    tensors: TensorNames(base: nil, vocabulary: ["shared.weight"], formerEnds: TensorNames.formerShared)
  ) { try Transformer($0.config, in: $1) }
}

/// The Transformer: post-normed encoder and decoder, sinusoidal positions, and one matrix for both embeddings and the head
/// (Vaswani et al. 2017).
public final class Transformer: SequenceToSequenceModel {
  public let modelType = "transformer"
  public let catalog: SiteCatalog
  public let vocabularySize: Int, hiddenSize: Int
  public let maximumLength: Int? = nil
  public let head: LanguageModelHead
  public let decoderStartID: Int32
  public var generationStartID: Int32
  private let embedding: Embedding
  private let encoder: TransformerStack, decoder: TransformerStack
  private let dropout: Float

  static let keys = DimensionKeys(hiddenSize: "d_model", layers: "num_layers", heads: "num_heads")

  /// - Parameter config: resolved for its family.
  /// - Throws: `ArchitectureError` for a configuration that contradicts itself, `WeightError` and what the source throws.
  init(_ config: ArchitectureConfiguration, in scope: Scope) throws {
    catalog = scope.catalog
    let dimensions = try TransformerDimensions(config, Self.keys)
    vocabularySize = dimensions.vocabularySize
    hiddenSize = dimensions.hiddenSize
    dropout = try config.probability("dropout")
    let start = ["decoder_start_token_id", "bos_token_id"].first(where: config.contains)
    decoderStartID = if let start { Int32(try config.token(start, vocabulary: vocabularySize)) } else { 0 }
    generationStartID = decoderStartID
    let layer = Layer(
      width: hiddenSize, heads: dimensions.heads,
      intermediateSize: try config.count("d_ff", default: 4 * hiddenSize), hasAttentionBias: false,
      activation: try config.activation("activation_function"), initializer: nil, dropout: dropout)
    try layer.validate(config, key: "num_heads")
    let encoderLayers = dimensions.layers
    let decoderLayers = config.contains("num_decoder_layers") ? try config.listCount("num_decoder_layers") : encoderLayers
    embedding = try Embedding(
      scope / "shared", entries: vocabularySize, width: hiddenSize, role: .tokenEmbedding,
      initializer: .normal(standardDeviation: 1 / Float(hiddenSize).squareRoot()))
    func half(_ name: String, layers: Int) throws -> TransformerStack {
      TransformerStack(
        try (0..<layers).map { try layer.block(scope / name / "layers" / $0, isDecoder: name == "decoder") })
    }
    encoder = try half("encoder", layers: encoderLayers)
    decoder = try half("decoder", layers: decoderLayers)
    head = LanguageModelHead(Linear(scope / "lm_head", sharing: embedding.weight, role: .languageModelHead))
  }

  public var outline: ModelOutline? {
    ModelOutline(positions: "sinusoidal", finalNorm: nil, stacks: [.init("encoder", encoder), .init("decoder", decoder)])
  }

  public func encode(_ input: SequenceInput, _ pass: Pass) -> EncoderStates {
    let embedded = embedding.embedded(input, pass.withoutState, scale: Float(hiddenSize).squareRoot())
    let layout = embedded.input.layout(.bidirectional)
    let x = placed(embedded.rows, embedded.input, pass, at: "encoder")
    return EncoderStates(encoder(x, layout, pass.withoutState), of: embedded)
  }

  public func decode(_ input: SequenceInput, over source: EncoderStates, _ pass: Pass) -> Tensor {
    let x = Float(hiddenSize).squareRoot() * embedding(Tensor(input.tokens), pass)
    let input = decoder.afterPrefix(input, pass)
    return decoder(placed(x, input, pass, at: "decoder"), input.layout(.causal, over: source), pass)
  }

  /// `√width * embedding + position` (sections 3.4 and 3.5).
  /// - Parameter x: the scaled embeddings.
  private func placed(_ x: Tensor, _ input: SequenceInput, _ pass: Pass, at place: String) -> Tensor {
    pass.dropout(x + sinusoidalPositions(input.positions, width: hiddenSize), dropout, at: place)
  }

  /// The sizes and options that the layers of one half have in common, BART's too.
  struct Layer {
    var width: Int, heads: Int, intermediateSize: Int
    var hasAttentionBias: Bool
    var activation: NonlinearityName
    /// Glorot and Bengio's bounds where nil.
    var initializer: Initializer?
    var dropout: Float, middleDropout: Float = 0, scoreDropout: Float = 0

    func validate(_ config: ArchitectureConfiguration, key: String) throws(ArchitectureError) {
      _ = try config.headSize(of: width, heads: heads, key)
    }

    /// Self-attention, attention to the source in a decoder, and a feed-forward, each with its residual and then its norm.
    func block(_ scope: Scope, isDecoder: Bool) throws -> TransformerBlock {
      func attended(_ name: String, _ place: Attention.Place) throws -> Residual {
        let sublayer = try attention(scope / name, place)
        return Residual(.after(try norm(scope / "\(name)_layer_norm")), sublayer)
      }
      var residuals = [try attended("self_attn", isDecoder ? .decoder : .encoder)]
      if isDecoder { residuals.append(try attended("encoder_attn", .source)) }
      let feedForward = FeedForward(
        .plain(up: try linear(scope / "fc1", width, intermediateSize, .up)), down: try linear(scope / "fc2", intermediateSize, width, .down),
        activation: try Nonlinearity(activation, in: scope / "activation_fn"), middleDropout: middleDropout, dropout: dropout)
      return TransformerBlock(at: scope, residuals + [Residual(.after(try norm(scope / "final_layer_norm")), feedForward)])
    }

    func norm(_ scope: Scope) throws -> Norm { try Norm(scope, width: width, epsilon: 1e-5, kind: .layer, bias: true) }

    private func linear(_ scope: Scope, _ inputs: Int, _ outputs: Int, _ role: Role, bias: Bool = true) throws -> Linear {
      let initializer = initializer ?? .uniform(bound: (6 / Float(inputs + outputs)).squareRoot())
      return try Linear(scope, in: inputs, out: outputs, bias: bias, role: role, initializer: initializer)
    }

    private func attention(_ scope: Scope, _ place: Attention.Place) throws -> Attention {
      func projection(_ name: String, _ role: Role) throws -> Linear {
        try linear(scope / name, width, width, role, bias: hasAttentionBias)
      }
      return Attention(
        scope, place: place, AttentionOptions(heads: heads, headSize: width / heads, dropout: scoreDropout),
        .separate(query: try projection("q_proj", .query), key: try projection("k_proj", .key), value: try projection("v_proj", .value)),
        output: try projection("out_proj", .attentionOutput), dropout: dropout)
    }
  }
}
