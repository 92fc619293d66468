import Foundation
import GraftJSON
import GraftTensors

/// Writes a model directory: configuration and tokenizer files beside weights, in one file or in shards.
public struct ModelDirectoryWriter {
  /// What a model directory may hold besides weights and `config.json`.
  public static let companionNames = [
    "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "tokenizer.model", "spiece.model",
    "sentencepiece.bpe.model", "chat_template.jinja", "chat_template.json",
  ]

  /// The model directory to be.
  public let directory: String
  /// The bytes of tensors that one file may hold; `nil` for one file whatever its size.
  public let maximumShardBytes: Int?

  /// - Parameters:
  ///   - directory: created where it lacks; files of other names in it are left alone.
  ///   - maximumShardBytes: the bytes of tensors per file; a larger tensor gets a file of its own.
  public init(directory: String, maximumShardBytes: Int? = nil) {
    self.directory = directory
    self.maximumShardBytes = maximumShardBytes
  }

  /// Writes the model, complete or not at all.
  ///
  /// - Parameters:
  ///   - descriptions: every tensor of the model, in any order.
  ///   - configuration: the content of `config.json`; without it the base's is copied.
  ///   - base: the model directory whose configuration and tokenizer files are copied.
  ///   - tokenizer: the content of `tokenizer.json`, where it is not the base's.
  ///   - provider: answers the tensor of a description; called once for each.
  /// - Throws: `CheckpointError` of kind `cannotCreate` or `inputOutput`, or what `provider` throws.
  public func write(
    _ descriptions: [TensorDescription], configuration: JSON? = nil, copyingFilesFrom base: String? = nil,
    tokenizer: JSON? = nil, from provider: (TensorDescription) throws -> Tensor
  ) throws {
    let output = try AtomicDirectory(at: directory)
    let temporary = output.temporaryPath
    do {
      let weightNames = try writeWeights(descriptions, to: temporary, from: provider)
      if let base { try copyFiles(from: base, to: temporary, includingConfiguration: configuration == nil) }
      if let configuration {
        try AtomicFile.write(configuration.serialized(pretty: true).utf8 + [0x0A], to: "\(temporary)/config.json")
      }
      if let tokenizer { try AtomicFile.write(tokenizer.serialized(pretty: true).utf8, to: "\(temporary)/tokenizer.json") }
      try output.commit()
      removeStaleWeights(except: weightNames)
    } catch let error as CheckpointError where error.location.hasPrefix(temporary) {
      throw error.moved(from: temporary, to: output.path)
    }
  }

  private func writeWeights(
    _ descriptions: [TensorDescription], to folder: String, from provider: (TensorDescription) throws -> Tensor
  ) throws -> Set<String> {
    let shards = Self.shards(SafetensorsWriter.canonicalOrder(descriptions), maximumBytes: maximumShardBytes)
    guard shards.count > 1 else {
      try SafetensorsWriter.write(descriptions, to: "\(folder)/\(Checkpoint.weightsName)", from: provider)
      return [Checkpoint.weightsName]
    }
    var map: [(String, JSON)] = []
    var names: Set = [Checkpoint.indexName]
    for (number, shard) in shards.enumerated() {
      let name = "model-\(Self.fiveDigits(number + 1))-of-\(Self.fiveDigits(shards.count)).safetensors"
      try SafetensorsWriter.write(shard, to: "\(folder)/\(name)", from: provider)
      names.insert(name)
      map += shard.map { ($0.name, .string(name)) }
    }
    let index: JSON = [
      "metadata": [
        "total_parameters": .integer(descriptions.reduce(0) { $0 + $1.elementCount }),
        "total_size": .integer(descriptions.reduce(0) { $0 + $1.byteCount }),
      ],
      "weight_map": .object(JSONObject(map.sorted { $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) })),
    ]
    try AtomicFile.write(index.serialized(pretty: true).utf8 + [0x0A], to: "\(folder)/\(Checkpoint.indexName)")
    return names
  }

  /// Fills files in order up to `maximumBytes`.
  static func shards(_ descriptions: [TensorDescription], maximumBytes: Int?) -> [[TensorDescription]] {
    guard let maximumBytes else { return [descriptions] }
    var shards: [[TensorDescription]] = [[]]
    var size = 0
    for description in descriptions {
      if size + description.byteCount > maximumBytes, size > 0 {
        shards.append([])
        size = 0
      }
      shards[shards.count - 1].append(description)
      size += description.byteCount
    }
    return shards
  }

  private func copyFiles(from base: String, to folder: String, includingConfiguration: Bool) throws(CheckpointError) {
    for name in (includingConfiguration ? ["config.json"] : []) + Self.companionNames {
      let source = "\(base.trimmingTrailingSlashes)/\(name)"
      guard FileKind(of: source) == .file else { continue }
      let file = try MappedFile(source)
      let copy = try AtomicFile(at: "\(folder)/\(name)")
      try copy.write(file.bytes)
      try copy.commit()
    }
  }

  /// Weights of an earlier model in the same directory would be read instead of, or beside, the new ones.
  private func removeStaleWeights(except written: Set<String>) {
    for name in (try? directoryEntries(directory)) ?? [] where !written.contains(name) {
      let isShard = name.hasPrefix("model-") && name.contains("-of-") && name.hasSuffix(".safetensors")
      if isShard || name == Checkpoint.weightsName || name == Checkpoint.indexName { unlink("\(directory)/\(name)") }
    }
  }

  private static func fiveDigits(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }
}
