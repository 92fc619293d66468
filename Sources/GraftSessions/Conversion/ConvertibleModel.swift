import Foundation
import GraftBatching
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import GraftTokenizers

/// A model in any form that is read, under Transformers' names, of which one tensor at a time is in memory.
struct ConvertibleModel {
  /// The directory or the file.
  let path: String
  /// The content of `config.json`.
  private(set) var configuration: JSON
  /// The tensors in the types that they are given in.
  private(set) var descriptions: [TensorDescription]
  /// The directory whose other files belong to the model; nil for a file of llama.cpp.
  let companion: String?
  /// The contents of the files that stand in place of a directory's.
  private(set) var files: [String: JSON] = [:]
  /// Remarks for users of the result.
  private(set) var notes: [String] = []
  private let read: (TensorDescription) throws -> Tensor

  /// - Parameter path: a checkpoint directory, a `.gguf` file, or a directory of nothing but one.
  /// - Throws: what reading the files throws.
  init(_ path: String) throws {
    let path = path.trimmingTrailingSlashes
    self.path = path
    if let file = try Self.ggufFile(path) {
      let checkpoint = try GGUFCheckpoint(file)
      (configuration, descriptions, notes, companion) = (checkpoint.configuration, checkpoint.descriptions, checkpoint.notes, nil)
      read = checkpoint.tensor
      let vocabulary = try GGUFVocabulary(checkpoint.file.head)
      files = ["tokenizer.json": vocabulary.tokenizer, "tokenizer_config.json": vocabulary.configuration]
      configuration["torch_dtype"] = .string(usualType.description)
      return
    }
    let checkpoint = try Checkpoint(directory: path)
    (configuration, descriptions, companion) = (try checkpoint.configuration(), checkpoint.descriptions, path)
    read = { try checkpoint.tensor($0.name) }
    let tied = try Self.tied(in: checkpoint, configuration)
    descriptions.removeAll { tied.contains($0.name) }
    if checkpoint.isQuantized {
      configuration["quantization_config"] = nil
      notes.append("matrices that are stored quantized are written as the numbers that they stand for")
    }
  }

  /// The type that most elements have.
  var usualType: ElementFormat {
    var counts: [ElementFormat: Int] = [:]
    for description in descriptions {
      if let type = description.elementType.dtype, type.isFloatingPoint { counts[type, default: 0] += description.elementCount }
    }
    return counts.max { ($0.value, $1.key.description) < ($1.value, $0.key.description) }?.key ?? .float32
  }

  /// The tensor of one of the `descriptions`.
  func tensor(_ description: TensorDescription) throws -> Tensor { try read(description) }

  /// The tokenizer, for a file that is to have it inside.
  /// - Throws: `CheckpointError` and `TokenizerError` where there is no `tokenizer.json`, or it is damaged.
  func vocabulary() throws -> GGUFModelWriter.Vocabulary {
    guard let json = files["tokenizer.json"] else {
      let file = "\(path)/tokenizer.json"
      let json = try readJSON(file)
      return GGUFModelWriter.Vocabulary(
        tokenizer: try Tokenizer(directory: URL(fileURLWithPath: path, isDirectory: true)), json: json, path: file)
    }
    let configuration = TokenizerConfiguration(configuration: files["tokenizer_config.json"])
    return GGUFModelWriter.Vocabulary(
      tokenizer: try Tokenizer(json: json, configuration: configuration, source: path), json: json, path: path)
  }

  private static func ggufFile(_ path: String) throws -> String? {
    switch FileKind(of: path) {
    case .file where path.hasSuffix(".gguf"): return path
    case .directory where FileKind(of: "\(path)/config.json") == .nothing: return try GGUFShards.only(in: path)
    default: return nil
    }
  }

  /// The second names of tensors that the model's family ties and that a file of PyTorch holds once: no checkpoint needs them.
  private static func tied(in checkpoint: Checkpoint, _ configuration: JSON) throws -> Set<String> {
    guard ModelFamily.named(by: configuration) != nil else { return [] }
    let request = ModelRequest(
      ArchitectureConfiguration(configuration, source: "\(checkpoint.directory)/config.json"), task: LearningTask(of: configuration))
    let outline = try ModelFamily.build(request, in: Scope(outlining: SiteCatalog()))
    let shared = outline.catalog.sharedParameters.filter { checkpoint.holdsOnce($0.path, $0.parameter.path) }
    return Set(shared.map(\.path))
  }
}
