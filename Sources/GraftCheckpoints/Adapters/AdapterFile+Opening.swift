extension AdapterFile {
  /// Reads an adapter from wherever it is: an HDF5 file, a run directory with an `adapter.h5`, or a directory of PEFT's or
  /// AdapterHub's.
  ///
  /// - Throws: `CheckpointError`; of kind `missing` when the path is none of them.
  public static func read(_ path: String) throws(CheckpointError) -> AdapterFile {
    let path = path.trimmingTrailingSlashes
    switch FileKind(of: path) {
    case .nothing: throw CheckpointError(.missing, path, "no such file or directory")
    case .special, .file:
      if path.hasSuffix(".safetensors") || path.hasSuffix(".json") {
        throw CheckpointError(.missing, path, "is one file of an adapter", remedy: "name the directory that holds it")
      }
      return try AdapterArchive.read(path)
    case .directory:
      if FileKind(of: "\(path)/adapter.h5") == .file { return try AdapterArchive.read("\(path)/adapter.h5") }
      let configuration = "\(path)/\(PEFTDirectory.configurationName)"
      if FileKind(of: configuration) != .nothing {
        let isForeign = AdapterHubDirectory.owns(try readJSON(configuration))
        return isForeign ? try AdapterHubDirectory.read(path) : try PEFTDirectory.read(path)
      }
      let model = [path + "/model", path].first { FileKind(of: $0 + "/config.json") == .file }
      throw CheckpointError(
        .missing, path, "holds no adapter",
        remedy: model.map { "\($0) is a whole model; pass it as the model" }
          ?? "name an adapter's .h5 file, a run directory or a directory with an adapter_config.json")
    }
  }
}
