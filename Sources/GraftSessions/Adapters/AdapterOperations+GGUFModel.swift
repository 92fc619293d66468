import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors

extension AdapterOperations {
  /// Writes a model's present weights with its tokenizer as one file that llama.cpp runs; matrices in ggml's blocks stay in them.
  ///
  /// - Parameter dtype: the type of other matrices; vectors and positions are float32, as llama.cpp wants them.
  /// - Returns: what somebody who uses the file should know.
  /// - Throws: `ArchitectureError` for what llama.cpp does not compute.
  static func writeGGUF(_ session: ModelSession, dtype: ElementFormat, to output: String) throws -> [String] {
    var configuration = session.directory.configuration
    configuration["vocab_size"] = .integer(session.model.vocabularySize)
    let catalog = session.model.catalog
    let writer = try GGUFModelWriter(configuration, catalog, source: "\(session.path)/config.json")
    let path = session.path + "/tokenizer.json"
    let vocabulary = GGUFModelWriter.Vocabulary(
      tokenizer: try session.tokenizer(), json: try session.newTokens?.extended.json ?? readJSON(path), path: path)
    let name = session.path.split(separator: "/").last.map(String.init) ?? session.path
    func weight(of entry: GGUFTensorMap.Entry) throws -> Weight {
      guard let parameter = catalog.parameter(entry.path) else { throw SessionError(.data, "\(entry.path): not a parameter of the model") }
      return parameter.stored
    }
    try writer.write(name, vocabulary, to: output, type: { try weight(of: $0).ggmlBlocks?.format ?? dtype }, weight: weight)
    return writer.notes
  }
}
