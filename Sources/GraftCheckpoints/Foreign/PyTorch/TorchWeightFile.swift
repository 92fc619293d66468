import GraftTensors

/// A model's weights as `torch.save` wrote them: all of them, or those of one shard.
final class TorchWeightFile: WeightFile {
  let path: String
  let descriptions: [TensorDescription]
  private let file: TorchFile
  private let views: [String: Unpickler.TensorView]

  /// - Throws: `CheckpointError` of kind `missing`, `malformed`, or `unsupported` for what no state dictionary holds.
  init(_ path: String) throws(CheckpointError) {
    file = try TorchFile(path)
    self.path = path
    descriptions = file.views.map { TensorDescription(name: $0.name, elementType: $0.elementType, shape: $0.shape) }
    views = Dictionary(file.views.map { ($0.name, $0) }) { first, _ in first }
  }

  func description(of name: String) -> TensorDescription? {
    views[name].map { TensorDescription(name: name, elementType: $0.elementType, shape: $0.shape) }
  }

  func tensor(_ name: String) throws(CheckpointError) -> Tensor {
    guard let view = views[name] else { throw .malformed(path, "has no tensor '\(name)'") }
    return try file.tensor(view).tensor
  }

  func withBytes<Result>(of name: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
    views[name].flatMap { try? file.tensor($0).tensor.withUnsafeBytes(body) }
  }

  func holdsOnce(_ name: String, _ other: String) -> Bool {
    guard let first = views[name], let second = views[other] else { return false }
    return first.storage == second.storage && first.offset == second.offset && first.shape == second.shape && first.strides == second.strides
  }
}
