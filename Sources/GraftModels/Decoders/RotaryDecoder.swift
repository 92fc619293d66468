import GraftBatching
import GraftLayers
import GraftTensors

/// A decoder whose positions are rotations of queries and keys: an embedding, blocks, a norm and a head.
///
/// Llama is one, and most decoders since; a family's file says in which sizes and options, and builds the blocks.
public final class RotaryDecoder: CausalLanguageModel {
  public let modelType: String
  public let catalog: SiteCatalog
  public let vocabularySize: Int, hiddenSize: Int
  public let maximumLength: Int? = nil
  public let head: Linear
  private let embedding: Embedding
  private let embeddingScale: Float, embeddingDropout: Float
  private let blocks: TransformerStack
  private let norm: Norm
  private let rotary: [RotaryFrequencies]
  private let style: AttentionStyle
  public var attentionStyle: AttentionStyle? { style }

  /// - Parameters:
  ///   - isHeadless: true where hidden states are all that is wanted: no head is asked for.
  ///   - block: makes a block of its layers.
  /// - Throws: `WeightError` and what the source throws.
  init(
    _ c: Configuration, modelType: String, style: AttentionStyle, isHeadless: Bool, in scope: Scope,
    block: (BlockLayers) throws -> TransformerBlock
  ) throws {
    self.modelType = modelType
    self.style = style
    catalog = scope.catalog
    vocabularySize = c.vocabularySize
    hiddenSize = c.hiddenSize
    rotary = c.rotary
    embeddingScale = c.embeddingScale
    embeddingDropout = c.embeddingDropout
    let model = scope / "model"
    let tying = Tying(of: scope / "lm_head", to: model / "embed_tokens", isOn: c.tiesHead)
    embedding = try Embedding(
      model / "embed_tokens", entries: c.vocabularySize, width: c.hiddenSize, role: .tokenEmbedding, padding: c.padding,
      initializer: c.initializer)
    blocks = TransformerStack(try (0..<c.layers).map { try block(BlockLayers(scope: model / "layers" / $0, layer: $0, configuration: c)) })
    norm = try Norm(model / "norm", width: c.hiddenSize, epsilon: c.epsilon, kind: .rms(offset: c.normOffset))
    head = try tying.head(over: embedding, isHeadless: isHeadless, c.initializer)
  }

  public func hiddenStates(_ input: SequenceInput, _ pass: Pass) -> Tensor {
    let embedded = embedding.embedded(input, pass, scale: embeddingScale)
    let layout = embedded.input.layout(style, rotary: rotary)
    let x = pass.dropout(embedded.rows, embeddingDropout, at: embedding.path)
    return norm(embedded.tokens(of: blocks(x, layout, pass)))
  }
}
