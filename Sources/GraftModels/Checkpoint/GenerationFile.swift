import GraftCheckpoints
import GraftJSON

/// The generation settings of a checkpoint: the keys of `generation_config.json`, or of `config.json` where there is no such
/// file. Where there is one, `config.json` has no say, as in Transformers.
public struct GenerationFile {
  /// The keys of the file.
  public let keys: ArchitectureConfiguration
  /// True where there is a `generation_config.json`.
  public let isOwnFile: Bool
  /// The ids that end a text; none where the file names none.
  public let endOfSequenceIDs: Set<Int32>
  /// The token that the decoder of an encoder-decoder reads first; nil where the file does not say.
  public let startID: Int32?
  /// The same without the begin of sequence that stands in for it.
  private let ownStartID: Int32?

  private static let startKey = "decoder_start_token_id"

  /// - Parameter configuration: the directory's `config.json`.
  /// - Throws: `CheckpointError` for a file that is no JSON object, `ArchitectureError` for ids that are none.
  public init(in directory: String, configuration: ArchitectureConfiguration) throws {
    let path = "\(directory)/generation_config.json"
    let own = try readIfPresent(path, readJSON)
    try self.init(own.map { ArchitectureConfiguration($0, source: path) } ?? configuration, isOwnFile: own != nil)
  }

  /// A file that stands for a checkpoint's own.
  /// - Throws: `CheckpointError` for a file that is missing or no JSON object, `ArchitectureError` for ids that are none.
  public init(at path: String) throws {
    try self.init(ArchitectureConfiguration(try readJSON(path), source: path), isOwnFile: true)
  }

  /// - Throws: `ArchitectureError` for ids that are none.
  public init(_ keys: ArchitectureConfiguration, isOwnFile: Bool) throws(ArchitectureError) {
    self.keys = keys
    self.isOwnFile = isOwnFile
    endOfSequenceIDs = Set(try keys.tokenIDs("eos_token_id"))
    let starts = try keys.tokenIDs(Self.startKey)
    guard starts.count < 2 else {
      throw keys.fail(Self.startKey, "unsupported list of \(starts.count) ids; give the one that every answer starts with")
    }
    ownStartID = starts.first
    let begins = try keys.tokenIDs("bos_token_id")
    startID = starts.first ?? begins.first
  }

  /// A `config.json` with the start token that it leaves to the file.
  func completing(_ configuration: JSON) -> JSON {
    guard configuration[Self.startKey]?.isNull ?? true, let ownStartID else { return configuration }
    var completed = configuration
    completed[Self.startKey] = .integer(Int(ownStartID))
    return completed
  }
}

extension ArchitectureConfiguration {
  /// The token ids under a key: none, one or a list.
  /// - Throws: `ArchitectureError` for what no tokenizer could give an id of.
  public func tokenIDs(_ key: String) throws(ArchitectureError) -> [Int32] {
    guard let value = json[key], !value.isNull else { return [] }
    var ids: [Int32] = []
    for element in value.array ?? [value] {
      guard let number = element.int, let id = Int32(exactly: number) else {
        throw fail(key, "holds \(element.serialized()); it must be a token's id, or a list of them")
      }
      ids.append(id)
    }
    return ids
  }
}
