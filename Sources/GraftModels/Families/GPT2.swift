import GraftBatching
import GraftLayers
import GraftTensors

/// GPT-2: pre-normed blocks with learned positions, a fused attention projection and a tied head (Radford et al. 2019).
///
/// Its matrices are stored input by output, as the original's one-dimensional convolutions were.
public final class GPT2: CausalLanguageModel {
  public let modelType = "gpt2"
  public let catalog: SiteCatalog
  public let vocabularySize: Int, hiddenSize: Int
  public let maximumLength: Int?
  public let head: Linear
  private let embedding: Embedding, positions: Embedding
  private let blocks: TransformerStack
  private let norm: Norm
  private let style: AttentionStyle
  public var attentionStyle: AttentionStyle? { style }
  private let embeddingDropout: Float

  public struct Configuration {
    public var vocabularySize: Int, hiddenSize: Int, intermediateSize: Int, layers: Int, heads: Int, headSize: Int, positions: Int
    public var epsilon: Float, initializerRange: Float
    public var activation: NonlinearityName
    public var scalesScores: Bool, scalesScoresByLayer: Bool
    public var tiesHead: Bool
    public var embeddingDropout: Float, residualDropout: Float, scoreDropout: Float

    public init(_ config: ArchitectureConfiguration) throws(ArchitectureError) {
      let config = try config.resolved(as: "gpt2")
      vocabularySize = try config.count("vocab_size")
      hiddenSize = try config.count("n_embd")
      layers = try config.listCount("n_layer")
      heads = try config.count("n_head")
      headSize = try config.headSize(of: hiddenSize, heads: heads, "n_head")
      intermediateSize = try config.count("n_inner", default: 4 * hiddenSize)
      positions = try config.count("n_positions")
      epsilon = try config.float("layer_norm_epsilon")
      initializerRange = try config.deviation("initializer_range")
      activation = try config.activation("activation_function")
      scalesScores = try config.bool("scale_attn_weights")
      scalesScoresByLayer = try config.bool("scale_attn_by_inverse_layer_idx")
      tiesHead = try config.bool("tie_word_embeddings")
      embeddingDropout = try config.probability("embd_pdrop")
      residualDropout = try config.probability("resid_pdrop")
      scoreDropout = try config.probability("attn_pdrop")
    }
  }

  /// - Parameter isHeadless: whether hidden states are all that is wanted: no head is asked for.
  /// - Throws: `ArchitectureError` for a configuration that contradicts itself, `WeightError` and what the source throws.
  public init(_ config: ArchitectureConfiguration, style: AttentionStyle = .causal, isHeadless: Bool = false, in scope: Scope) throws {
    let c = try Configuration(config)
    self.style = style
    catalog = scope.catalog
    (vocabularySize, hiddenSize, maximumLength, embeddingDropout) = (c.vocabularySize, c.hiddenSize, c.positions, c.embeddingDropout)
    let initializer = Initializer.normal(standardDeviation: c.initializerRange)
    let model = scope / "transformer"
    let tying = Tying(of: scope / "lm_head", to: model / "wte", isOn: c.tiesHead)
    func table(_ name: String, _ entries: Int, _ role: Role) throws -> Embedding {
      try Embedding(model / name, entries: entries, width: c.hiddenSize, role: role, initializer: initializer)
    }
    embedding = try table("wte", c.vocabularySize, .tokenEmbedding)
    positions = try table("wpe", c.positions, .positionEmbedding)
    blocks = TransformerStack(try (0..<c.layers).map { try Self.block(model / "h" / $0, layer: $0, c) })
    norm = try Norm(model / "ln_f", width: c.hiddenSize, epsilon: c.epsilon, kind: .layer, bias: true)
    head = try tying.head(over: embedding, isHeadless: isHeadless, initializer)
  }

  public func hiddenStates(_ input: SequenceInput, _ pass: Pass) -> Tensor {
    let embedded = embedding.embedded(input, pass)
    let layout = embedded.input.layout(style)
    let x = embedded.rows + positions(Tensor(embedded.input.positions), pass)
    return norm(embedded.tokens(of: blocks(pass.dropout(x, embeddingDropout, at: embedding.path), layout, pass)))
  }

  private static func block(_ scope: Scope, layer: Int, _ c: Configuration) throws -> TransformerBlock {
    func linear(_ scope: Scope, _ inputs: Int, _ outputs: Int, _ role: Role, deviation: Float) throws -> Linear {
      try Linear(
        scope, in: inputs, out: outputs, bias: true, role: role, layout: .inputByOutput,
        initializer: .normal(standardDeviation: deviation))
    }
    let attn = scope / "attn"
    let mlp = scope / "mlp"
    let width = c.hiddenSize
    // What is added to the residual stream starts smaller the more layers add to it (Radford et al. 2019, section 2.3).
    let deviation = c.initializerRange
    let residualDeviation = deviation / Float(2 * c.layers).squareRoot()
    let scale = (c.scalesScores ? 1 / Float(c.headSize).squareRoot() : 1) / (c.scalesScoresByLayer ? Float(layer + 1) : 1)
    let attentionNorm = try Norm(scope / "ln_1", width: width, epsilon: c.epsilon, kind: .layer, bias: true)
    let attention = Attention(
      attn, layer: layer, AttentionOptions(heads: c.heads, headSize: c.headSize, scale: scale, dropout: c.scoreDropout),
      .fused(try linear(attn / "c_attn", width, 3 * width, .fusedAttention, deviation: deviation)),
      output: try linear(attn / "c_proj", width, width, .attentionOutput, deviation: residualDeviation), dropout: c.residualDropout)
    let feedForwardNorm = try Norm(scope / "ln_2", width: width, epsilon: c.epsilon, kind: .layer, bias: true)
    let feedForward = FeedForward(
      .plain(up: try linear(mlp / "c_fc", width, c.intermediateSize, .up, deviation: deviation)),
      down: try linear(mlp / "c_proj", c.intermediateSize, width, .down, deviation: residualDeviation),
      activation: try Nonlinearity(c.activation, in: mlp / "act"), dropout: c.residualDropout)
    return TransformerBlock(Residual(.before(attentionNorm), attention), Residual(.before(feedForwardNorm), feedForward))
  }
}
