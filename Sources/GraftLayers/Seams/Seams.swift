import GraftErrors
import GraftTensors

/// A merge that cannot be done, or a delta that does not fit.
public struct TuningError: UserError {
  public let description: String

  public init(_ description: String) { self.description = description }

  public var status: ErrorStatus { .usage }
}

/// What LoRA and its relatives put in a linear layer's slot.
public protocol LinearAdapter: AnyObject {
  /// `base(x)` and what the adapter adds to it.
  /// - Parameter x: `[rows, in]`.
  /// - Returns: `[rows, out]`.
  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor
  /// Folds the adapter into the layer's own weights.
  func merge(into base: Linear) throws(TuningError)
  /// The two factors, where the adapter adds their product and nothing else; nil for any other adapter. The layers of many
  /// experts with such adapters are computed together.
  var lowRankTerm: LowRankTerm? { get }
}

extension LinearAdapter {
  public var lowRankTerm: LowRankTerm? { nil }
}

/// `scale * B A dropout(x)`, which a low-rank adapter adds to a layer's output.
public struct LowRankTerm {
  /// `[r, in]`.
  public let a: Tensor
  /// `[out, r]`.
  public let b: Tensor
  public let scale: Float
  public let dropout: Float

  public init(a: Tensor, b: Tensor, scale: Float, dropout: Float) {
    self.a = a
    self.b = b
    self.scale = scale
    self.dropout = dropout
  }
}

/// What LoRA puts in the slot of a projection that all experts of a layer have.
public protocol ExpertAdapter: AnyObject {
  /// Returns the parts of the projection's output with what the adapter adds to them.
  /// - Parameters:
  ///   - x: `[rows, in]`, sorted by expert.
  ///   - outputs: `[rows, out]` for each part.
  func callAsFunction(_ x: Tensor, addingTo outputs: [Tensor], of base: ExpertProjection, _ routing: ExpertRouting, _ pass: Pass) -> [Tensor]
  /// Folds the adapter into the experts' own weights.
  func merge(into base: ExpertProjection) throws(TuningError)
}

/// What embedding LoRA and trainable tokens put in an embedding's slot.
public protocol EmbeddingTableAdapter: AnyObject {
  /// - Returns: `[tokens, width]`.
  func callAsFunction(_ tokens: Tensor, through base: Embedding, _ pass: Pass) -> Tensor
  func merge(into base: Embedding) throws(TuningError)
}

/// What a bottleneck adapter puts where half a block joins the residual stream: in the slot of the half's last layer.
public protocol ResidualAdapter: AnyObject {
  /// - Parameters:
  ///   - y: `[rows, hidden]`, what the half computed.
  ///   - residual: `[rows, hidden]`, what it is added to.
  /// - Returns: their sum and what the adapter adds.
  func callAsFunction(_ y: Tensor, joining residual: Tensor, _ pass: Pass) -> Tensor
}

/// What prompt and prefix tuning put in a token embedding's slot: virtual tokens before every sequence.
public protocol PromptAdapter: AnyObject {
  /// How many places they take; the positions of the given tokens go on after them.
  var virtualTokenCount: Int { get }
  /// `[virtualTokenCount, width]`; nil where they exist as keys and values only.
  func embeddings(_ pass: Pass) -> Tensor?
}

/// What prefix tuning puts in an attention's slot.
public protocol AttentionPrefix: AnyObject {
  /// How many virtual tokens there are keys and values of.
  var virtualTokenCount: Int { get }
  /// Keys, as if rotated, and values that every query sees.
  /// - Returns: `[virtualTokenCount, keyValueHeads * headSize]` each.
  func keysAndValues(_ pass: Pass) -> (keys: Tensor, values: Tensor)
}

/// What LLaMA-Adapter puts in an attention's slot: a second attention to keys and values of its own.
public protocol AttentionSupplement: AnyObject {
  /// - Parameters:
  ///   - query: `[rows, heads * headSize]`, rotated.
  ///   - context: `[rows, heads * headSize]`, what the attention itself found.
  /// - Returns: the context with the adapter's share.
  func callAsFunction(_ query: Tensor, addingTo context: Tensor, of attention: Attention, _ layout: SequenceLayout, _ pass: Pass) -> Tensor
}
