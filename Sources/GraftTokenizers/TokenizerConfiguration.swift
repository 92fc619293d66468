import Foundation
import GraftFiles
import GraftJSON

/// The settings of a tokenizer in `tokenizer_config.json`, `special_tokens_map.json` and `chat_template.jinja`.
public struct TokenizerConfiguration: Sendable, Equatable {
  /// The beginning-of-sequence token.
  public var bosToken: String?
  /// The end-of-sequence token.
  public var eosToken: String?
  /// The padding token.
  public var padToken: String?
  /// The unknown token.
  public var unkToken: String?
  /// The classifier's token.
  public var clsToken: String?
  /// The separator.
  public var sepToken: String?
  /// The mask.
  public var maskToken: String?
  /// Further tokens with a meaning of their own.
  public var additionalSpecialTokens: [String] = []
  /// Tokens with names that only this model has, such as `image_token`.
  public var modelTokens: [String: String] = [:]
  /// The tokens of `added_tokens_decoder`, in the form that `added_tokens` of `tokenizer.json` has.
  var listedTokens: [JSON] = []
  /// The special tokens in the same form.
  var specialTokens: [JSON] = []
  /// All chat templates by name.
  public var chatTemplates: [String: String] = [:]
  /// True where encoding starts with the beginning-of-sequence token; nil where the files do not say.
  public var addsBeginningToken: Bool?
  /// True where encoding ends with the end-of-sequence token; nil where the files do not say.
  public var addsEndToken: Bool?
  /// The longest input in tokens, where there is a limit.
  public var maximumLength: Int?
  /// True where padding goes before the text; nil where the files do not say.
  public var padsLeft: Bool?
  /// True where a text that is too long loses its beginning instead of its end.
  public var truncatesLeft = false
  /// The parts of an encoding that a model is given, such as `token_type_ids`; nil where the files do not say.
  public var modelInputNames: [String]?
  /// The class of the Transformers library, such as `LlamaTokenizerFast`.
  public var tokenizerClass: String?

  /// A configuration that says nothing.
  public init() {}

  /// Reads a configuration from the contents of `tokenizer_config.json` and `special_tokens_map.json`.
  ///
  /// As in Transformers the latter wins, unless the former lists all added tokens (`added_tokens_decoder`).
  public init(configuration: JSON?, specialTokensMap: JSON? = nil) {
    let listsAll = configuration?["added_tokens_decoder"]?.object != nil
    let sources = listsAll ? [configuration, specialTokensMap] : [specialTokensMap, configuration]
    func first<Value>(_ key: String, _ read: (JSON?) -> Value?) -> Value? {
      sources.reduce(nil) { found, source in found ?? read(source?[key]) }
    }
    func token(_ key: String) -> String? { first(key, Self.content) }
    bosToken = token("bos_token")
    eosToken = token("eos_token")
    padToken = token("pad_token")
    unkToken = token("unk_token")
    clsToken = token("cls_token")
    sepToken = token("sep_token")
    maskToken = token("mask_token")
    additionalSpecialTokens =
      ["additional_special_tokens", "extra_special_tokens"]
      .compactMap { first($0) { $0?.array } }
      .joined().compactMap(Self.content)
    let ownNames = (configuration?.object ?? [:]).keys.filter { $0.hasSuffix("_token") && !Self.commonNames.contains($0) }
    for name in ownNames { modelTokens[name] = token(name) }
    listedTokens = Self.listedTokens(configuration)
    specialTokens = (Self.commonNames + ownNames).compactMap { name in first(name) { $0.flatMap(Self.specialEntry) } }
    specialTokens += additionalSpecialTokens.compactMap { Self.specialEntry(of: .string($0)) }
    addsBeginningToken = configuration?["add_bos_token"]?.bool
    addsEndToken = configuration?["add_eos_token"]?.bool
    // Transformers writes about 1e30 where there is no limit.
    maximumLength = configuration?["model_max_length"]?.int.flatMap { 1..<1_000_000_000 ~= $0 ? $0 : nil }
    padsLeft = (configuration?["padding_side"]?.string).map { $0 == "left" }
    truncatesLeft = configuration?["truncation_side"]?.string == "left"
    tokenizerClass = configuration?["tokenizer_class"]?.string
    modelInputNames = configuration?["model_input_names"]?.array?.compactMap(\.string)
    switch configuration?["chat_template"] {
    case .string(let template): chatTemplates["default"] = template
    case .array(let list):
      for entry in list {
        if let name = entry["name"]?.string, let template = entry["template"]?.string { chatTemplates[name] = template }
      }
    default: break
    }
  }

  /// Reads the files of a model directory; those that are not there say nothing.
  ///
  /// Templates in files of their own take the place of all that `tokenizer_config.json` has.
  /// - Throws: `TokenizerError` when a file is not JSON, or a template no text.
  public init(directory: URL) throws(TokenizerError) {
    self.init(
      configuration: try JSON.ifPresent(at: directory.appending(path: "tokenizer_config.json")),
      specialTokensMap: try JSON.ifPresent(at: directory.appending(path: "special_tokens_map.json")))
    let files = try Self.templateFiles(in: directory)
    if !files.isEmpty { chatTemplates = files }
  }

  private static func template(at file: URL) throws(TokenizerError) -> String {
    do { return try TextFile.text(of: file.path(percentEncoded: false)) } catch { throw TokenizerError(error) }
  }

  /// The special tokens by the names that chat templates know them by: `bos_token`, `eos_token`, ...
  public var namedSpecialTokens: [String: String] {
    let tokens = [
      "bos_token": bosToken, "eos_token": eosToken, "pad_token": padToken, "unk_token": unkToken,
      "cls_token": clsToken, "sep_token": sepToken, "mask_token": maskToken,
    ]
    return tokens.compactMapValues { $0 }.merging(modelTokens) { known, _ in known }
  }

  private static let commonNames = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"]

  /// A token written as a string or as an object with its `content`.
  static func content(_ json: JSON?) -> String? { json?.string ?? json?["content"]?.string }
}

extension JSON {
  /// The contents of a JSON file, `nil` when there is no such file.
  static func ifPresent(at file: URL) throws(TokenizerError) -> JSON? {
    let path = file.path(percentEncoded: false)
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let bytes: [UInt8]
    do { bytes = try InputFile.bytes(of: path) } catch { throw TokenizerError(error) }
    guard bytes.count <= 1 << 30 else { throw TokenizerError(path, "is larger than 1 GiB", fix: "make sure that it is a tokenizer's") }
    do { return try JSON(parsing: TextFile.withoutMark(bytes)) } catch {
      throw TokenizerError("\(path):\(error.line)", "not JSON: \(error.message)", fix: "repair the file or download it again")
    }
  }
}
