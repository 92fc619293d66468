import GraftTensors

/// A tensor that a checkpoint holds quantized, in several parts.
protocol QuantizedTensor {
  /// The names of the parts in the checkpoint, that of the elements first.
  var parts: [String] { get }
  /// The shape of what they stand for.
  var shape: [Int] { get }
  /// The type that the tensor is said to have where it is described.
  var elementType: ElementType { get }
  /// The tensor in blocks where products can read them, otherwise as the numbers that the parts stand for.
  /// - Throws: `CheckpointError` of kind `malformed` where the parts contradict each other.
  func weight(from checkpoint: Checkpoint) throws(CheckpointError) -> Weight
}
