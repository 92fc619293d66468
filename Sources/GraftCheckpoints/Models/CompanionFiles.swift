import GraftJSON
import GraftTokenizers

/// The files beside the weights of a model directory: tokenizer, templates, generation settings, processors, pooling, code, ...
///
/// A model made of another takes all of it along but the weights, in whatever form they are kept.
struct CompanionFiles {
  /// The model directory.
  let directory: String
  /// The paths of the files, relative to the directory.
  let paths: [String]

  private static let weightEndings = [
    ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".msgpack", ".onnx", ".onnx_data", ".ot", ".npz", ".tflite", ".index.json",
  ]
  /// Would be taken for an adapter of the new model, whose part it may be already.
  private static let adapterNames = ["adapter_config.json"]

  /// - Throws: `CheckpointError` of kind `missing` or `inputOutput`.
  init(of directory: String) throws(CheckpointError) {
    let directory = directory.trimmingTrailingSlashes
    let modules = try Self.moduleFolders(directory)
    var paths: [String] = []
    for name in try Self.visible(directory) {
      switch FileKind(of: "\(directory)/\(name)") {
      case .file where !Self.isWeights(name) && !Self.adapterNames.contains(name): paths.append(name)
      case .directory:
        // Folders with weights hold the model again, for another runtime or from another time, unless the model consists of them.
        let files = try Self.files(in: name, of: directory)
        if modules.contains(name) || !files.contains(where: Self.isWeights) { paths += files }
      default: break
      }
    }
    (self.directory, self.paths) = (directory, paths)
  }

  /// The tokenizer's files and templates among them, which an adapter's directory may have instead of the base's.
  var tokenizerPaths: [String] {
    paths.filter { Self.tokenizerNames.contains($0) || $0.hasPrefix("additional_chat_templates/") }
  }

  /// The names of the tokenizer's files and templates.
  static let tokenizerNames = Set(Tokenizer.vocabularyFiles).union([
    "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "tokenizer.model",
    "spiece.model", "sentencepiece.bpe.model", "chat_template.jinja", "chat_template.json",
  ])

  /// Returns true for the name of a file of weights, or of an index of them.
  static func isWeights(_ name: String) -> Bool { weightEndings.contains { name.lowercased().hasSuffix($0) } }

  /// Copies the files, but for those that have been written already.
  ///
  /// - Parameter isTokenizer: true where only the tokenizer's are copied.
  /// - Throws: `CheckpointError` of kind `missing`, `cannotCreate` or `inputOutput`.
  func copy(to folder: String, isTokenizer: Bool = false) throws(CheckpointError) {
    for path in isTokenizer ? tokenizerPaths : paths where FileKind(of: "\(folder)/\(path)") == .nothing {
      let file = try MappedFile("\(directory)/\(path)")
      let place = "\(folder)/\(path)"
      try createDirectory(place.parentDirectory)
      let copy = try AtomicFile(at: place)
      try file.withBytes { bytes throws(CheckpointError) in try copy.write(bytes) }
      try copy.commit()
    }
  }

  /// The folders that `modules.json` of sentence-transformers names.
  private static func moduleFolders(_ directory: String) throws(CheckpointError) -> Set<String> {
    guard FileKind(of: "\(directory)/modules.json") == .file else { return [] }
    let file = try MappedFile("\(directory)/modules.json")
    let modules = (try? file.withBytes { bytes in try JSON(parsing: bytes) })?.array ?? []
    return Set(modules.compactMap { $0["path"]?.string?.split(separator: "/").first.map(String.init) })
  }

  private static func visible(_ directory: String) throws(CheckpointError) -> [String] {
    try directoryEntries(directory).filter { !$0.hasPrefix(".") && $0 != "__pycache__" }
  }

  /// Every file below a folder.
  private static func files(in folder: String, of directory: String) throws(CheckpointError) -> [String] {
    var files: [String] = []
    for name in try visible("\(directory)/\(folder)") {
      let path = "\(folder)/\(name)"
      switch FileKind(of: "\(directory)/\(path)") {
      case .file: files.append(path)
      // Deeper than any model's folders, a link may lead round in a circle.
      case .directory where path.split(separator: "/").count < 8: files += try Self.files(in: path, of: directory)
      default: break
      }
    }
    return files
  }
}
