import GraftBatching
import GraftLayers
import GraftTensors

/// A decoder without an encoder: an embedding with its positions, blocks, a norm and a head.
///
/// It is what all families of decoders have in common; a family's file builds the parts.
public final class CausalDecoder: CausalLanguageModel {
  /// The way in which a decoder knows the order of its tokens.
  public enum Positions {
    /// Queries and keys are rotated by one of these tables (Su et al. 2021).
    case rotary([RotaryFrequencies])
    /// A vector for each position is added to the embeddings.
    case learned(Embedding)
    /// Scores fall with the distance, by a slope for each head (ALiBi; Press et al. 2022).
    case slopes([Float])
    /// The blocks themselves read tokens one after another (Mamba, RWKV).
    case recurrence
  }

  /// The parts of a decoder, in the order in which they are computed.
  public struct Parts {
    /// The table of tokens.
    public var embedding: Embedding
    /// The factor of the embeddings.
    public var embeddingScale: Float = 1
    /// The way in which the order of tokens is known.
    public var positions: Positions
    /// The norm of the embeddings with their positions.
    public var embeddingNorm: Norm?
    /// The probability with which an element of the embeddings is dropped in training.
    public var embeddingDropout: Float = 0
    /// The blocks.
    public var blocks: TransformerStack
    /// The norm of what the head reads.
    public var norm: Norm?
    /// The layer from hidden states to logits.
    public var head: LanguageModelHead
    /// The losses of routers that are added to the training loss; nil for none.
    public var routerLosses: RouterLosses?

    /// Parts without what only some families have; the other properties are set afterwards.
    public init(embedding: Embedding, positions: Positions, blocks: [TransformerBlock], norm: Norm?, head: LanguageModelHead) {
      self.embedding = embedding
      self.positions = positions
      self.blocks = TransformerStack(blocks)
      self.norm = norm
      self.head = head
    }
  }

  public let modelType: String
  public let catalog: SiteCatalog
  private let parts: Parts
  private let style: AttentionStyle

  /// - Parameter catalog: the catalog of the scope that the parts were made in.
  public init(_ modelType: String, _ parts: Parts, style: AttentionStyle, catalog: SiteCatalog) {
    self.modelType = modelType
    self.parts = parts
    self.style = style
    self.catalog = catalog
  }

  public var vocabularySize: Int { parts.embedding.entries }
  public var hiddenSize: Int { parts.embedding.weight.shape[1] }
  public var head: LanguageModelHead { parts.head }
  public var attentionStyle: AttentionStyle? { style }
  public var maximumLength: Int? { if case .learned(let table) = parts.positions { table.entries } else { nil } }

  public var outline: ModelOutline? {
    ModelOutline(positions: parts.positions.words, finalNorm: parts.norm, stacks: [.init("decoder", parts.blocks)])
  }

  public func hiddenStates(_ input: SequenceInput, _ pass: Pass) -> Tensor {
    let embedded = parts.embedding.embedded(input, pass, scale: parts.embeddingScale)
    var (x, layout) = placed(embedded, pass)
    if let norm = parts.embeddingNorm { x = norm(x) }
    x = pass.dropout(x, parts.embeddingDropout, at: parts.embedding.path)
    let states = embedded.tokens(of: parts.blocks(consume x, layout, pass))
    if let losses = parts.routerLosses, let auxiliary = pass.auxiliary { losses.add(to: auxiliary) }
    return parts.norm.map { $0(states, pass) } ?? states
  }

  /// The embeddings with their positions, as far as these are added, and the layout with the rest.
  private func placed(_ embedded: EmbeddedInput, _ pass: Pass) -> (Tensor, SequenceLayout) {
    let positions = embedded.input.positions
    switch parts.positions {
    case .recurrence: return (embedded.rows, embedded.input.layout(style))
    case .rotary(let frequencies): return (embedded.rows, embedded.input.layout(style, rotary: frequencies, pass))
    case .learned(let table): return (embedded.rows + table(Tensor(positions), pass), embedded.input.layout(style))
    case .slopes(let slopes):
      var layout = embedded.input.layout(style)
      layout.bias = DistanceBias(slopes: slopes, maximumDistance: Int(positions.max() ?? 0))
      return (embedded.rows, layout)
    }
  }
}

extension CausalDecoder.Positions {
  /// The positions in words.
  var words: String {
    switch self {
    case .rotary(let tables): "rotary, " + tables.map(\.words).joined(separator: "; ")
    case .learned(let table): "learned, \(table.entries)"
    case .slopes: "linear biases (ALiBi)"
    case .recurrence: "by recurrence"
    }
  }
}
