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
    let model = try base.architecture.model(base.configuration)
    let metadata = try general(session, base, dtype) + model.metadata + vocabulary(session, configuration)
    let weights = try GGUFWeights(session, base, model, dtype: dtype)
    try GGUFWriter.write(metadata: metadata, weights.descriptions, to: output, from: weights.tensor)
    return model.notes
  }

  /// The keys that every file has.
  private static func general(_ session: ModelSession, _ base: GGUFBase, _ dtype: ElementFormat) -> [GGUFModel.Entry] {
    let fileTypes: [ElementFormat: UInt32] = [.float32: 0, .float16: 1, .bfloat16: 32]
    return [
      ("general.architecture", .string(base.architecture.name)), ("general.type", .string("model")),
      ("general.name", .string(session.path.split(separator: "/").last.map(String.init) ?? session.path)),
      ("general.file_type", .uint32(fileTypes[dtype] ?? 0)), ("general.quantization_version", .uint32(2)),
      (GGUFFile.generatorKey, .string("graft")),
    ]
  }

  /// The keys of the tokenizer.
  private static func vocabulary(_ session: ModelSession, _ configuration: JSON) throws -> [GGUFModel.Entry] {
    let path = session.path + "/tokenizer.json"
    let json = try session.newTokens?.extended.json ?? readJSON(path)
    return try GGUFTokenizer(try session.tokenizer(), json: json, path: path)
      .metadata(vocabularySize: session.model.vocabularySize, configuration: configuration)
  }
}

/// The tensors of a model under llama.cpp's names, in its forms.
private struct GGUFWeights {
  private let base: GGUFBase
  private let normOffset: Float
  private var parameters: [String: Parameter] = [:]
  /// Vectors that are no parameters.
  private let vectors: [String: [Float]]
  private let inputFirst: Set<String>
  /// The paths of the norms' weights, where the file has others.
  private let norms: Set<String>
  private(set) var descriptions: [TensorDescription] = []

  /// - Throws: `SessionError` for a parameter that llama.cpp has no counterpart of.
  init(_ session: ModelSession, _ base: GGUFBase, _ model: GGUFModel, dtype: ElementFormat) throws {
    let catalog = session.model.catalog
    (self.base, normOffset) = (base, model.normOffset)
    inputFirst = Set(catalog.linears.filter { $0.layout == .inputByOutput }.map(\.weight.path))
    norms = model.normOffset == 0 ? [] : Set(catalog.sites.compactMap { $0.norm?.weight.path })
    vectors = Dictionary(model.vectors.map { ($0.name, $0.values) }) { first, _ in first }
    for parameter in catalog.parameters {
      let end = parameter.path.hasSuffix(".bias") ? ".bias" : ".weight"
      guard let module = base.architecture.name(of: String(parameter.path.dropLast(end.count))) else {
        throw SessionError(.data, "\(session.path): llama.cpp has no counterpart of \(parameter.path); use --format hf")
      }
      let shape = parameter.shape.dimensions
      let type: ElementFormat = shape.count == 1 || module == "position_embd" ? .float32 : dtype
      parameters[module + end] = parameter
      descriptions.append(
        TensorDescription(
          name: module + end, elementType: ElementType(type), shape: inputFirst.contains(parameter.path) ? shape.reversed() : shape))
    }
    descriptions += model.vectors.map { TensorDescription(name: $0.name, elementType: .float32, shape: [$0.values.count]) }
  }

  /// Returns a tensor as the file holds it: output first, rows in llama.cpp's order, norms with their offset.
  func tensor(_ description: TensorDescription) throws -> Tensor {
    guard let parameter = parameters[description.name] else { return Tensor(vectors[description.name] ?? []) }
    var value = parameter.value
    if inputFirst.contains(parameter.path) { value = value.converted(to: .float32).transposed }
    value = try base.rows(of: value, in: parameter.path.split(separator: ".").dropLast().joined(separator: "."))
    if norms.contains(parameter.path) { value = value.converted(to: .float32) + Tensor(repeating: normOffset, shape: value.shape) }
    return description.elementType.dtype.map(value.converted) ?? value
  }
}
