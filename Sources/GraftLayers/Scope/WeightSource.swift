import GraftTensors

/// The source of a model's or an adapter's tensors: a checkpoint, an adapter file, or memory.
public protocol WeightSource: AnyObject {
  /// The file or directory, for messages.
  var name: String { get }
  /// Every tensor there is, in the source's order.
  var tensorNames: [String] { get }
  /// Returns true where the source has a tensor of that name.
  func contains(_ name: String) -> Bool
  /// The tensor in the type it is stored in, mapped rather than copied where the source can.
  /// - Throws: where the tensor is missing or its bytes cannot be read.
  func tensor(_ name: String) throws -> Tensor
  /// The matrix of a layer in the form it is stored in: quantized blocks as they are, `[out, in]` whatever the layer's layout.
  /// - Throws: as `tensor` does.
  func weight(_ name: String) throws -> Weight
}

extension WeightSource {
  public func weight(_ name: String) throws -> Weight { .dense(try tensor(name)) }
}
