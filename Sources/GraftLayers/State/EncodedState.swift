import GraftTensors

/// The keys and values of an encoder's output that one cross-attention reads; they never grow.
public final class EncodedState: LayerState {
  let keys: Tensor, values: Tensor
  /// The rows of each sequence's source: sequences that continue the same source share them.
  private(set) var spans: [Range<Int>]

  /// - Parameters:
  ///   - keys: `[source rows, keyWidth]`.
  ///   - values: `[source rows, valueWidth]`.
  public init(keys: Tensor, values: Tensor, spans: [Range<Int>]) {
    self.keys = keys
    self.values = values
    self.spans = spans
  }

  /// The same in a floating-point format.
  func converted(to format: ElementFormat) -> EncodedState {
    EncodedState(keys: keys.converted(to: format), values: values.converted(to: format), spans: spans)
  }

  public var byteCount: Int { keys.byteCount + values.byteCount }

  public func select(_ sequences: [Int]) { spans = sequences.map { spans[$0] } }

  public func truncate(to counts: [Int]) -> Bool { true }
}
