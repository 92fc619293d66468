import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors

/// A model's present weights with its tokenizer as one file that llama.cpp runs.
struct GGUFModelFile {
  private let metadata: [GGUFModel.Entry]
  private let weights: GGUFWeightForms
  /// Differences that somebody who uses the file should know of.
  let notes: [String]

  /// - Parameters:
  ///   - dtype: the type of matrices that are not in ggml's blocks; vectors and positions are float32, as llama.cpp wants them.
  ///   - quantization: that of most matrices; nil where they are of `dtype`.
  /// - Throws: `ArchitectureError`, `CheckpointError` and `SessionError` for what llama.cpp does not compute.
  init(_ session: ModelSession, dtype: ElementFormat, quantization: WeightQuantization? = nil) throws {
    var configuration = session.directory.configuration
    configuration["vocab_size"] = .integer(session.model.vocabularySize)
    let base = try GGUFBase(configuration, source: "\(session.path)/config.json")
    let model = try base.architecture.model(base.configuration)
    metadata =
      Self.general(session, base, fileType: Self.fileType(dtype, quantization)) + model.metadata + (try Self.vocabulary(session, configuration))
    weights = try GGUFWeightForms(session, base, model, dtype: dtype)
    notes = model.notes
  }

  /// Writes the file.
  /// - Throws: as `GGUFWriter.write` does.
  func write(to output: String) throws { try GGUFWriter.write(metadata: metadata, weights.descriptions, to: output, from: weights.tensor) }

  /// llama.cpp's number of the type that most matrices have (`enum llama_ftype`).
  private static func fileType(_ dtype: ElementFormat, _ quantization: WeightQuantization?) -> UInt32 {
    switch quantization {
    case .q4_0: 2
    case .q8_0: 7
    case .q4K: 14
    case .q6K: 18
    case .mxfp4: 38
    default: dtype == .float16 ? 1 : dtype == .bfloat16 ? 32 : 0
    }
  }

  /// The keys that every file has.
  private static func general(_ session: ModelSession, _ base: GGUFBase, fileType: UInt32) -> [GGUFModel.Entry] {
    [
      ("general.architecture", .string(base.architecture.name)), ("general.type", .string("model")),
      ("general.name", .string(session.path.split(separator: "/").last.map(String.init) ?? session.path)),
      ("general.file_type", .uint32(fileType)), ("general.quantization_version", .uint32(2)), (GGUFFile.generatorKey, .string("graft")),
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
private struct GGUFWeightForms {
  private let base: GGUFBase
  private let normOffset: Float
  private var parameters: [String: Parameter] = [:]
  /// Vectors that are no parameters.
  private let vectors: [String: [Float]]
  private let inputFirst: Set<String>
  /// The paths of the norms' weights, where the file has others.
  private let norms: Set<String>
  private(set) var descriptions: [GGUFTensor] = []

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
      let type: ElementFormat = shape.count == 1 || module == "position_embd" ? .float32 : Self.blocks(of: parameter)?.format ?? dtype
      parameters[module + end] = parameter
      descriptions.append(GGUFTensor(name: module + end, format: type, shape: inputFirst.contains(parameter.path) ? shape.reversed() : shape))
    }
    descriptions += model.vectors.map { GGUFTensor(name: $0.name, format: .float32, shape: [$0.values.count]) }
  }

  /// The matrix, output by input, where it is in ggml's blocks.
  private static func blocks(of parameter: Parameter) -> GGMLMatrix? {
    guard case .blocks(let matrix) = parameter.stored else { return nil }
    return (matrix as? TransposedBlocks)?.base as? GGMLMatrix ?? matrix as? GGMLMatrix
  }

  /// Returns a tensor as the file holds it: output first, rows in llama.cpp's order, norms with their offset; the bytes of blocks.
  func tensor(_ description: GGUFTensor) throws -> Tensor {
    guard let parameter = parameters[description.name] else { return Tensor(vectors[description.name] ?? []) }
    let module = parameter.path.split(separator: ".").dropLast().joined(separator: ".")
    if let blocks = Self.blocks(of: parameter) {
      return try base.architecture.rowOrder(of: module, base.configuration).map(blocks.rows(in:))?.bytes ?? blocks.bytes
    }
    var value = parameter.stored.tensor
    if inputFirst.contains(parameter.path) { value = value.converted(to: .float32).transposed }
    value = try base.rows(of: value, in: module)
    if norms.contains(parameter.path) { value = value.converted(to: .float32) + Tensor(repeating: normOffset, shape: value.shape) }
    return value.converted(to: description.format)
  }
}
