import Foundation
import GraftJSON
import GraftTensors

/// Writes a model directory: configuration and tokenizer files beside weights, in one file or in shards.
public struct ModelDirectoryWriter {
  /// The model directory to be.
  public let directory: String
  /// The bytes of tensors that one file may hold; `nil` for one file whatever its size.
  public let maximumShardBytes: Int?
  private let form: WeightForm
  private let replacement: AtomicDirectory.Replacement

  /// - Parameters:
  ///   - directory: created where it lacks.
  ///   - form: the form of the weights' files.
  ///   - maximumShardBytes: the bytes of tensors per file; a larger tensor gets a file of its own.
  ///   - replacement: the existing directories that make way.
  public init(
    directory: String, form: WeightForm = .safetensors, maximumShardBytes: Int? = nil, replacing replacement: AtomicDirectory.Replacement = .none
  ) {
    self.directory = directory
    self.form = form
    self.maximumShardBytes = maximumShardBytes
    self.replacement = replacement
  }

  /// The directories that `--overwrite` lets a new model replace: those of nothing but weights, what usually lies beside them, and what the
  /// base has beside its own.
  ///
  /// - Parameter base: the model directory whose files are copied.
  /// - Throws: `CheckpointError` where it cannot be listed.
  public static func replaceable(copyingFilesFrom base: String?) throws(CheckpointError) -> AtomicDirectory.Replacement {
    var names = usualNames
    if let base { for path in try CompanionFiles(of: base).paths { names.insert(path.split(separator: "/").first.map(String.init) ?? path) } }
    return .holding { [names] name in
      names.contains(name) || WeightForm.allCases.contains { name.hasPrefix($0.stem) } && CompanionFiles.isWeights(name)
    }
  }

  private static let usualNames = CompanionFiles.tokenizerNames.union([
    "config.json", "generation_config.json", "additional_chat_templates", "README.md",
  ])

  /// Writes the model, complete or not at all.
  ///
  /// - Parameters:
  ///   - descriptions: every tensor of the model, in any order.
  ///   - configuration: the content of `config.json`; without it the base's is copied.
  ///   - base: the model directory whose other files are copied: all but weights.
  ///   - tokenizer: the content of `tokenizer.json`, where it is not the base's.
  ///   - files: the contents of further files by their names, in place of the base's.
  ///   - tokenizerDirectory: the directory of the tokenizer's files and templates, where they are not the base's.
  ///   - verify: looks at the directory, complete but under another name, before it appears.
  ///   - provider: answers the tensor of a description; called once for each.
  /// - Throws: `CheckpointError` of kind `cannotCreate` or `inputOutput`, or what `verify` and `provider` throw.
  public func write(
    _ descriptions: [TensorDescription], configuration: JSON? = nil, copyingFilesFrom base: String? = nil,
    tokenizer: JSON? = nil, files: [String: JSON] = [:], tokenizerDirectory: String? = nil, verify: ((_ written: String) throws -> Void)? = nil,
    from provider: (TensorDescription) throws -> Tensor
  ) throws {
    try write(
      configuration: configuration, copyingFilesFrom: base, tokenizer: tokenizer, files: files, tokenizerDirectory: tokenizerDirectory,
      verify: verify
    ) { folder in try writeWeights(descriptions, to: folder, from: provider) }
  }

  /// The same with files of weights in any form.
  /// - Parameter writeWeights: writes them into the directory, which has another name until it is complete.
  public func write(
    configuration: JSON? = nil, copyingFilesFrom base: String? = nil, tokenizer: JSON? = nil, files: [String: JSON] = [:],
    tokenizerDirectory: String? = nil, verify: ((_ written: String) throws -> Void)? = nil, weights writeWeights: (_ folder: String) throws -> Void
  ) throws {
    let output = try AtomicDirectory(at: directory, replacing: replacement)
    let temporary = output.temporaryPath
    do {
      try writeWeights(temporary)
      if let configuration {
        try AtomicFile.write(configuration.serialized(pretty: true).utf8 + [0x0A], to: "\(temporary)/config.json")
      }
      for (name, content) in files { try AtomicFile.write(content.serialized(pretty: true).utf8 + [0x0A], to: "\(temporary)/\(name)") }
      if let tokenizer { try AtomicFile.write(tokenizer.serialized(pretty: true).utf8, to: "\(temporary)/tokenizer.json") }
      if let tokenizerDirectory { try CompanionFiles(of: tokenizerDirectory).copy(to: temporary, isTokenizer: true) }
      if let base { try CompanionFiles(of: base).copy(to: temporary) }
      try verify?(temporary)
      try output.commit()
    } catch let error as CheckpointError where error.location.hasPrefix(temporary) {
      throw error.moved(from: temporary, to: output.path)
    }
  }

  private func writeWeights(
    _ descriptions: [TensorDescription], to folder: String, from provider: (TensorDescription) throws -> Tensor
  ) throws {
    let shards = Self.shards(form == .safetensors ? SafetensorsWriter.canonicalOrder(descriptions) : descriptions, maximumBytes: maximumShardBytes)
    guard shards.count > 1 else { return try form.write(descriptions, to: "\(folder)/\(form.name)", from: provider) }
    var map: [(String, JSON)] = []
    for (number, shard) in shards.enumerated() {
      let name = "\(form.stem)-\(Self.fiveDigits(number + 1))-of-\(Self.fiveDigits(shards.count))\(form.ending)"
      try form.write(shard, to: "\(folder)/\(name)", from: provider)
      map += shard.map { ($0.name, .string(name)) }
    }
    let index: JSON = [
      "metadata": [
        "total_parameters": .integer(descriptions.reduce(0) { $0 + $1.elementCount }),
        "total_size": .integer(descriptions.reduce(0) { $0 + $1.byteCount }),
      ],
      "weight_map": .object(JSONObject(map.sorted { $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) })),
    ]
    try AtomicFile.write(index.serialized(pretty: true).utf8 + [0x0A], to: "\(folder)/\(form.indexName)")
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

  private static func fiveDigits(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }
}
