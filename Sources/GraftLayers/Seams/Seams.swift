import GraftTensors

/// A merge that cannot be done, or a delta that does not fit.
public struct TuningError: Error, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}

/// What LoRA and its relatives put in a linear layer's slot.
public protocol LinearAdapter: AnyObject {
  /// `base(x)` and what the adapter adds to it.
  /// - Parameter x: `[rows, in]`.
  /// - Returns: `[rows, out]`.
  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor
  /// Folds the adapter into the layer's own weights.
  func merge(into base: Linear) throws(TuningError)
}

/// What embedding LoRA and trainable tokens put in an embedding's slot.
public protocol EmbeddingTableAdapter: AnyObject {
  /// - Returns: `[tokens, width]`.
  func callAsFunction(_ tokens: Tensor, through base: Embedding, _ pass: Pass) -> Tensor
  func merge(into base: Embedding) throws(TuningError)
}
