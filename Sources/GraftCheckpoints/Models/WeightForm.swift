import GraftTensors

/// The form of the files that hold a model's weights.
public enum WeightForm: Sendable, CaseIterable {
  /// A header and the elements; the form that is preferred where a directory has several.
  case safetensors
  /// A zip file of a pickle and the elements (`torch.save`).
  case pytorch

  /// The beginning of the files' names.
  var stem: String { self == .safetensors ? "model" : "pytorch_model" }
  /// The end of the files' names.
  var ending: String { self == .safetensors ? ".safetensors" : ".bin" }
  /// The name of the one file.
  var name: String { stem + ending }
  /// The name of the index of several.
  var indexName: String { name + ".index.json" }

  /// Opens a file.
  ///
  /// - Throws: `CheckpointError` of kind `missing`, `malformed`, or `unsupported` for a pickle that holds more than tensors.
  func open(_ path: String) throws(CheckpointError) -> any WeightFile {
    switch self {
    case .safetensors: try SafetensorsFile(path)
    case .pytorch: try TorchWeightFile(path)
    }
  }

  /// Writes a file of tensors that are made one after the other.
  ///
  /// - Throws: as the writer of the form does, and what `provider` throws.
  func write(_ descriptions: [TensorDescription], to path: String, from provider: (TensorDescription) throws -> Tensor) throws {
    switch self {
    case .safetensors: try SafetensorsWriter.write(descriptions, to: path, from: provider)
    case .pytorch: try TorchArchive.write(descriptions, root: stem, to: path, from: provider)
    }
  }
}
