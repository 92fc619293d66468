import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors

extension AdapterOperations {
  /// Writes a model's present weights with its tokenizer as one file that llama.cpp runs.
  ///
  /// - Parameter dtype: the type of matrices; vectors and positions are float32, as llama.cpp wants them.
  /// - Returns: what somebody who uses the file should know.
  /// - Throws: `SessionError` for what llama.cpp does not compute.
  static func writeGGUF(_ session: ModelSession, dtype: ElementFormat, to output: String) throws -> [String] {
    var configuration = session.directory.configuration
    configuration["vocab_size"] = .integer(session.model.vocabularySize)
    let base = try GGUFBase(configuration, source: "\(session.path)/config.json")
    let tokenizerPath = session.path + "/tokenizer.json"
    let tokenizerJSON = try session.newTokens?.extended.json ?? readJSON(tokenizerPath)
    let tokenizer = GGUFTokenizer(try session.tokenizer(), json: tokenizerJSON, path: tokenizerPath)
    let fileTypes: [ElementFormat: UInt32] = [.float32: 0, .float16: 1, .bfloat16: 32]
    var metadata: [(key: String, value: GGUFValue)] = [
      ("general.architecture", .string(base.architecture.name)), ("general.type", .string("model")),
      ("general.name", .string(session.path.split(separator: "/").last.map(String.init) ?? session.path)),
      ("general.file_type", .uint32(fileTypes[dtype] ?? 0)), ("general.quantization_version", .uint32(2)),
      (GGUFFile.generatorKey, .string("graft")),
    ]
    let model = try base.architecture.model(base.configuration)
    metadata += model.metadata
    metadata += try tokenizer.metadata(vocabularySize: session.model.vocabularySize, configuration: configuration)

    let inputFirst = Set(session.model.catalog.linears.filter { $0.layout == .inputByOutput }.map(\.weight.path))
    let norms = model.normOffset == 0 ? [] : Set(session.model.catalog.sites.compactMap { $0.norm?.weight.path })
    var parameters: [String: Parameter] = [:]
    var descriptions: [TensorDescription] = []
    for parameter in session.model.catalog.parameters {
      let end = parameter.path.hasSuffix(".bias") ? ".bias" : ".weight"
      guard let module = base.architecture.name(of: String(parameter.path.dropLast(end.count))) else {
        throw SessionError(.data, "\(session.path): llama.cpp has no counterpart of \(parameter.path); use --format hf")
      }
      let shape = parameter.shape.dimensions
      let type: ElementFormat = shape.count == 1 || module == "position_embd" ? .float32 : dtype
      let name = module + end
      parameters[name] = parameter
      descriptions.append(
        TensorDescription(
          name: name, elementType: ElementType(type), shape: inputFirst.contains(parameter.path) ? shape.reversed() : shape))
    }
    let vectors = Dictionary(model.vectors.map { ($0.name, $0.values) }) { first, _ in first }
    for vector in model.vectors {
      descriptions.append(TensorDescription(name: vector.name, elementType: .float32, shape: [vector.values.count]))
    }
    try GGUFWriter.write(metadata: metadata, descriptions, to: output) { description in
      guard let parameter = parameters[description.name] else { return Tensor(vectors[description.name] ?? []) }
      var value = parameter.value
      if inputFirst.contains(parameter.path) { value = value.converted(to: .float32).transposed }
      let module = parameter.path.split(separator: ".").dropLast().joined(separator: ".")
      value = try base.rows(of: value, in: module)
      if norms.contains(parameter.path) { value = value.converted(to: .float32) + Tensor(repeating: model.normOffset, shape: value.shape) }
      return description.elementType.dtype.map(value.converted) ?? value
    }
    return model.notes
  }
}
