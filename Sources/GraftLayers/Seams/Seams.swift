import GraftErrors
import GraftTensors

/// A merge that cannot be done, or a delta that does not fit.
public struct TuningError: UserError {
  public let description: String

  /// - Parameter description: one line that names the layer or the key.
  public init(_ description: String) { self.description = description }

  public var status: ErrorStatus { .usage }
}

/// A change of a linear layer, in its slot: LoRA and its relatives.
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
  /// The factor of the product, `alpha / r` in LoRA.
  public let scale: Float
  /// The probability with which an element of the input is dropped in training.
  public let dropout: Float

  /// - Parameters:
  ///   - a: `[r, in]`.
  ///   - b: `[out, r]`.
  public init(a: Tensor, b: Tensor, scale: Float, dropout: Float) {
    self.a = a
    self.b = b
    self.scale = scale
    self.dropout = dropout
  }
}

/// A change of a projection that all experts of a layer have, in its slot: LoRA.
public protocol ExpertAdapter: AnyObject {
  /// Returns the parts of the projection's output with what the adapter adds to them.
  /// - Parameters:
  ///   - x: `[rows, in]`, sorted by expert.
  ///   - outputs: `[rows, out]` for each part.
  func callAsFunction(_ x: Tensor, addingTo outputs: [Tensor], of base: ExpertProjection, _ routing: ExpertRouting, _ pass: Pass) -> [Tensor]
  /// Folds the adapter into the experts' own weights.
  func merge(into base: ExpertProjection) throws(TuningError)
}

/// A change of an embedding, in its slot: embedding LoRA and trainable tokens.
public protocol EmbeddingTableAdapter: AnyObject {
  /// - Returns: `[tokens, width]`.
  func callAsFunction(_ tokens: Tensor, through base: Embedding, _ pass: Pass) -> Tensor
  /// Folds the adapter into the table's own weights.
  func merge(into base: Embedding) throws(TuningError)
}

/// A change of what a sublayer adds to the residual stream, in the slot of its last layer: bottleneck adapters.
public protocol ResidualAdapter: AnyObject {
  /// - Parameters:
  ///   - y: `[rows, hidden]`, what the half computed.
  ///   - residual: `[rows, hidden]`, what it is added to.
  /// - Returns: their sum and what the adapter adds.
  func callAsFunction(_ y: Tensor, joining residual: Tensor, _ pass: Pass) -> Tensor
}

/// A change of the states that a block reads or leaves, in the block's slot: invertible adapters, representation fine-tuning.
public protocol StateAdapter: AnyObject {
  /// - Parameter x: `[rows, hidden]`, the rows of `pass.sequences`.
  /// - Returns: `[rows, hidden]`, in the place of `x`.
  func callAsFunction(_ x: Tensor, _ pass: Pass) -> Tensor
}

/// Virtual tokens before every sequence, in the slot of the token embedding: prompt and prefix tuning.
public protocol PromptAdapter: AnyObject {
  /// Their number.
  var virtualTokenCount: Int { get }
  /// True where the given tokens' positions go on after them; false where these stay as they are.
  var movesTokens: Bool { get }
  /// `[virtualTokenCount, width]`; nil where they exist as keys and values only.
  func embeddings(_ pass: Pass) -> Tensor?
}

extension PromptAdapter {
  public var movesTokens: Bool { true }
}

/// Keys and values before those of every sequence, in an attention's slot: prefix tuning.
public protocol AttentionPrefix: AnyObject {
  /// The number of virtual tokens that there are keys and values of.
  var virtualTokenCount: Int { get }
  /// Keys, as if rotated, and values that every query sees.
  /// - Returns: `[virtualTokenCount, keyValueHeads * headSize]` each.
  func keysAndValues(_ pass: Pass) -> (keys: Tensor, values: Tensor)
  /// The factors of keys and values that each sequence takes; nil where all take them as they are.
  /// - Parameter x: `[rows, hidden]`, what the attention reads.
  /// - Returns: `[sequences, 1]` each.
  func shares(of x: Tensor, _ pass: Pass) -> (keys: Tensor, values: Tensor)?
}

extension AttentionPrefix {
  public func shares(of x: Tensor, _ pass: Pass) -> (keys: Tensor, values: Tensor)? { nil }
}

/// The state that a recurrence begins every sequence with, in its slot: initial-state tuning.
public protocol StartAdapter: AnyObject {
  /// The values that the state is made of (`Recurrence.startSize`).
  /// - Returns: `[1, startSize]`.
  func values(_ pass: Pass) -> Tensor
}

/// A second attention to keys and values of its own, in an attention's slot: LLaMA-Adapter.
public protocol AttentionSupplement: AnyObject {
  /// - Parameters:
  ///   - query: `[rows, heads * headSize]`, rotated.
  ///   - context: `[rows, heads * headSize]`, what the attention itself found.
  /// - Returns: the context with the adapter's share.
  func callAsFunction(_ query: Tensor, addingTo context: Tensor, of attention: Attention, _ layout: SequenceLayout, _ pass: Pass) -> Tensor
}
