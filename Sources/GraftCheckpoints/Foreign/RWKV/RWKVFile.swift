import GraftJSON
import GraftTensors

/// An RWKV as its authors publish it: one `.pth` file of `torch.save` without a configuration, read under the names that the model has in
/// Transformers.
final class RWKVFile: WeightFile {
  let path: String
  /// The types and shapes in the form of Transformers.
  let descriptions: [TensorDescription]
  /// The `config.json` that the tensors tell.
  let configuration: JSON
  private let file: TorchFile
  private let views: [String: Unpickler.TensorView]

  /// The file of a directory that has one `.pth` and no weights in another form; nil where there is none, and where it holds no RWKV.
  /// - Throws: `CheckpointError` for a file that is damaged, and of kind `unsupported` for a version that is not known.
  static func published(in directory: String) throws(CheckpointError) -> RWKVFile? {
    let directory = directory.trimmingTrailingSlashes
    guard FileKind(of: directory) == .directory else { return nil }
    let names = try directoryEntries(directory).filter { $0.lowercased().hasSuffix(".pth") }
    guard names.count == 1, let name = names.first else { return nil }
    return try RWKVFile("\(directory)/\(name)")
  }

  /// Nil for a file that holds no RWKV.
  private init?(_ path: String) throws(CheckpointError) {
    let file = try TorchFile(path)
    let shapes = Dictionary(file.views.map { ($0.name, $0.shape) }) { first, _ in first }
    guard shapes["emb.weight"] != nil, shapes["blocks.0.ln0.weight"] != nil else { return nil }
    guard let layout = RWKVLayout(shapes) else {
      throw CheckpointError(.unsupported, path, "holds an RWKV of another version than 4, 5.2, 6 and 7", remedy: "take one of these")
    }
    guard let configuration = layout.configuration(shapes) else {
      throw .malformed(path, "lacks tensors of an RWKV, or holds one of another shape", remedy: "fetch it again")
    }
    (self.path, self.file, self.configuration) = (path, file, configuration)
    let views = file.views.compactMap(layout.transformers)
    descriptions = views.map { TensorDescription(name: $0.name, elementType: $0.elementType, shape: $0.shape) }
    self.views = Dictionary(views.map { ($0.name, $0) }) { first, _ in first }
    guard self.views.count == views.count else { throw .malformed(path, "holds a tensor under two names", remedy: "fetch it again") }
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
}
