import Dispatch
import GraftFiles
import GraftJSON
import GraftTokenizers
import Synchronization

/// The marks of a base model, so that an adapter is not put on the wrong one.
public struct BaseFingerprint: Equatable, Sendable {
  /// The model's repository, or its directory's full path; descriptive only.
  public var name: String?
  /// The revision of the model where it has one; descriptive only.
  public var revision: String?
  /// The `model_type` of `config.json`.
  public var modelType: String?
  /// The first of its `architectures`.
  public var architecture: String?
  /// The width of the residual stream.
  public var hiddenSize: Int?
  /// The number of layers.
  public var layerCount: Int?
  /// The number of tokens.
  public var vocabularySize: Int?
  /// The SHA-256, in hexadecimal, of the lines of `TensorHashes`: independent of shards, order and header padding.
  public var weightsSHA256: String?
  /// The SHA-256 of the tokenizer's vocabulary, which is `tokenizer.json` for most models, in hexadecimal.
  public var tokenizerSHA256: String?

  /// A fingerprint that says nothing yet.
  public init() {}

  /// The fingerprint of a model on disk. Reads all of its weights, on every core.
  ///
  /// - Parameter keys: the keys of the model's sizes.
  /// - Throws: `CheckpointError` of kind `missing` or `malformed` about `config.json`.
  public init(of checkpoint: Checkpoint, keys: DimensionKeys) throws(CheckpointError) {
    self.init(configuration: try checkpoint.configuration(), keys: keys)
    (name, revision) = Self.origin(of: checkpoint.directory)
    weightsSHA256 = TensorHashes(checkpoint).combined
    if let file = Tokenizer.vocabularyFile(in: checkpoint.directory) { tokenizerSHA256 = try MappedFile(file).withBytes { SHA256.hash($0) } }
  }

  /// The name by which others find a model: a repository with its revision for a directory in a hub's cache
  /// (`models--OWNER--NAME/snapshots/REVISION`), else the directory's full path.
  static func origin(of directory: String) -> (name: String, revision: String?) {
    let path = fullPath(directory)
    let snapshots = path.parentDirectory
    let prefix = "models--"
    let repository = snapshots.parentDirectory.lastComponent
    guard snapshots.lastComponent == "snapshots", repository.hasPrefix(prefix) else { return (path, nil) }
    return (String(repository.dropFirst(prefix.count)).replacing("--", with: "/"), path.lastComponent)
  }

  /// The part of a fingerprint that a `config.json` tells.
  /// - Parameter keys: the keys of the model's sizes; the standard ones come first.
  public init(configuration: JSON, keys: DimensionKeys) {
    func value(_ path: KeyPath<DimensionKeys, String>) -> JSON? {
      for root in [configuration, configuration["text_config"]] {
        for key in [DimensionKeys.standard[keyPath: path], keys[keyPath: path]] {
          if let value = root?[key], !value.isNull { return value }
        }
      }
      return nil
    }
    modelType = configuration["model_type"]?.string
    architecture = configuration["architectures"]?[0]?.string
    hiddenSize = value(\.hiddenSize)?.int
    layerCount = value(\.layers)?.int
    vocabularySize = value(\.vocabularySize)?.int
  }

  /// Returns the differences between the base an adapter was made for and `actual`, one clause per property; what either does
  /// not say, and names, are not compared.
  public func differences(from actual: BaseFingerprint) -> [String] {
    func difference<Value: Equatable>(_ title: String, _ path: KeyPath<BaseFingerprint, Value?>) -> String? {
      guard let wanted = self[keyPath: path], let found = actual[keyPath: path], wanted != found else { return nil }
      let isHash = title.hasSuffix("SHA-256")
      let shortened = { (value: Value) in isHash ? "\(value)".prefix(12) + "..." : "\(value)" }
      return "\(title) \(shortened(found)) instead of \(shortened(wanted))"
    }
    return [
      difference("model type", \.modelType), difference("architecture", \.architecture),
      difference("hidden size", \.hiddenSize), difference("layers", \.layerCount),
      difference("vocabulary size", \.vocabularySize), difference("weights' SHA-256", \.weightsSHA256),
      difference("tokenizer's SHA-256", \.tokenizerSHA256),
    ].compactMap(\.self)
  }

  /// Refuses a base model other than the one an adapter was made for.
  ///
  /// - Parameter location: the adapter, for the message.
  /// - Throws: `CheckpointError` of kind `mismatchedBase` that lists what differs.
  public func verify(_ actual: BaseFingerprint, for location: String) throws(CheckpointError) {
    let differences = differences(from: actual)
    guard !differences.isEmpty else { return }
    throw CheckpointError(
      .mismatchedBase, location,
      "was trained on another base model" + (name.map { " ('\($0)')" } ?? "") + ": the model at hand has "
        + differences.joined(separator: ", "),
      remedy: "pass that model, or --force to use this one all the same")
  }
}

/// The SHA-256 of every tensor of a checkpoint.
struct TensorHashes {
  let descriptions: [TensorDescription]
  /// In hexadecimal, one per description.
  let hashes: [String]

  init(descriptions: [TensorDescription], hashes: [String]) {
    self.descriptions = descriptions
    self.hashes = hashes
  }

  /// Hashes the stored bytes of every tensor, on every core.
  init(_ checkpoint: Checkpoint) {
    let descriptions = checkpoint.descriptions
    let shared = Shared(checkpoint: checkpoint)
    let hashes = Mutex([String](repeating: "", count: descriptions.count))
    DispatchQueue.concurrentPerform(iterations: descriptions.count) { index in
      let name = descriptions[index].name
      let hash = shared.checkpoint.withBytes(of: name) { SHA256.hash($0) } ?? ""
      shared.checkpoint.releasePages(of: name)
      hashes.withLock { $0[index] = hash }
    }
    self.init(descriptions: descriptions, hashes: hashes.withLock { $0 })
  }

  /// The SHA-256 over the sorted lines `name dtype shape sha256`, each ended by a line feed, where the shape is
  /// written as in JSON without spaces (`F32 [4,8]`).
  var combined: String {
    let lines = zip(descriptions, hashes).map { description, hash in
      let shape = description.shape.map(String.init).joined(separator: ",")
      return "\(description.name) \(description.elementType.rawValue) [\(shape)] \(hash)\n"
    }
    var hasher = SHA256()
    for line in lines.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
      hasher.update(line)
    }
    return hasher.finalize()
  }

  /// A checkpoint is immutable once opened; its class is not marked so because tensors are not `Sendable`.
  private struct Shared: @unchecked Sendable { let checkpoint: Checkpoint }
}
