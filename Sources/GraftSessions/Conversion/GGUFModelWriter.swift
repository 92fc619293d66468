import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import GraftTokenizers

/// Writes a model with its tokenizer as one file that llama.cpp runs.
struct GGUFModelWriter {
  /// The tensors in both forms.
  let map: GGUFTensorMap
  /// Remarks for somebody who uses the file.
  var notes: [String] { model.notes }
  private let base: GGUFBase
  private let model: GGUFModel
  private let configuration: JSON

  /// The parts of a tokenizer.
  struct Vocabulary {
    let tokenizer: Tokenizer
    /// The content of `tokenizer.json`, and its path for messages.
    let json: JSON, path: String
  }

  /// - Parameters:
  ///   - configuration: the model's `config.json`.
  ///   - catalog: the model's, or its outline's.
  ///   - source: the file, for messages.
  /// - Throws: `ArchitectureError` for what llama.cpp does not compute.
  init(_ configuration: JSON, _ catalog: SiteCatalog, source: String) throws {
    self.configuration = configuration
    base = try GGUFBase(configuration, source: source)
    model = try base.architecture.model(base.configuration)
    map = try GGUFTensorMap(catalog, base, model)
  }

  /// Writes the file; what llama.cpp always has in float32 stays in it.
  ///
  /// - Parameters:
  ///   - name: the model's, `general.name`.
  ///   - type: the type of a matrix; where it is in ggml's blocks, that of the blocks.
  ///   - weight: a tensor in Transformers' form, or ggml's blocks.
  /// - Throws: `CheckpointError` for a tokenizer that llama.cpp would not run alike, and for a file that cannot be written; what `type` and
  ///   `weight` throw.
  func write(
    _ name: String, _ vocabulary: Vocabulary, to output: String, type: (GGUFTensorMap.Entry) throws -> ElementFormat,
    weight: (GGUFTensorMap.Entry) throws -> Weight
  ) throws {
    var descriptions: [GGUFTensor] = []
    var elements: [ElementFormat: Int] = [:]
    for entry in map.entries {
      let format = entry.isExact ? .float32 : try type(entry)
      if !entry.isExact { elements[format, default: 0] += entry.shape.reduce(1, *) }
      descriptions.append(GGUFTensor(name: entry.name, format: format, shape: entry.storedShape))
    }
    descriptions += model.vectors.map { GGUFTensor(name: $0.name, format: .float32, shape: [$0.values.count]) }
    // Blocks name a file, however many elements tables have.
    let blocks = elements.filter { $0.key.blockLength > 1 }
    let usual = (blocks.isEmpty ? elements : blocks).max { ($0.value, $1.key.description) < ($1.value, $0.key.description) }?.key ?? .float32
    let size = try base.configuration.count("vocab_size")
    let metadata =
      try general(name, usual) + model.metadata
      + GGUFTokenizer(vocabulary.tokenizer, json: vocabulary.json, path: vocabulary.path)
      .metadata(vocabularySize: size, configuration: configuration)
    let entries = Dictionary(map.entries.map { ($0.name, $0) }) { first, _ in first }
    let vectors = Dictionary(model.vectors.map { ($0.name, $0.values) }) { first, _ in first }
    try GGUFWriter.write(metadata: metadata, descriptions, to: output) { description in
      guard let entry = entries[description.name] else { return Tensor(vectors[description.name] ?? []) }
      let weight = try weight(entry)
      if let blocks = weight.ggmlBlocks { return try map.stored(blocks, of: entry) }
      return try map.stored(weight.tensor, of: entry).converted(to: description.format)
    }
  }

  /// The keys that every file has.
  private func general(_ name: String, _ usual: ElementFormat) -> [GGUFModel.Entry] {
    // llama.cpp's numbers (`enum llama_ftype`).
    let fileTypes: [ElementFormat: UInt32] = [
      .float32: 0, .float16: 1, .q4_0: 2, .q8_0: 7, .q5_0: 8, .q4_K: 14, .q6_K: 18, .bfloat16: 32, .mxfp4: 38,
    ]
    return [
      ("general.architecture", .string(base.architecture.name)), ("general.type", .string("model")), ("general.name", .string(name)),
      ("general.file_type", .uint32(fileTypes[usual] ?? 0)), ("general.quantization_version", .uint32(2)),
      (GGUFFile.generatorKey, .string("graft")),
    ]
  }
}

extension Weight {
  /// The blocks, output by input, where the matrix is in ggml's.
  var ggmlBlocks: GGMLMatrix? {
    guard case .blocks(let matrix) = self else { return nil }
    return (matrix as? TransposedBlocks)?.base as? GGMLMatrix ?? matrix as? GGMLMatrix
  }
}
