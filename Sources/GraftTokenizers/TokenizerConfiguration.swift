import Foundation
import GraftFiles
import GraftJSON

/// What `tokenizer_config.json`, `special_tokens_map.json` and `chat_template.jinja` say about a tokenizer.
public struct TokenizerConfiguration: Sendable, Equatable {
  public var bosToken: String?
  public var eosToken: String?
  public var padToken: String?
  public var unkToken: String?
  public var clsToken: String?
  public var sepToken: String?
  public var maskToken: String?
  /// Further tokens with a meaning of their own.
  public var additionalSpecialTokens: [String] = []
  /// The Jinja template that turns messages into a prompt: the default one, where there are several.
  public var chatTemplate: String?
  /// All chat templates by name.
  public var chatTemplates: [String: String] = [:]
  /// Whether encoding starts with the beginning-of-sequence token, where the files say so.
  public var addsBeginningToken: Bool?
  /// Whether encoding ends with the end-of-sequence token, where the files say so.
  public var addsEndToken: Bool?
  /// The longest input in tokens, where there is a limit.
  public var maximumLength: Int?
  /// Whether padding goes before the text, where the files say so.
  public var padsLeft: Bool?
  /// Whether a text that is too long loses its beginning instead of its end.
  public var truncatesLeft = false
  /// What a model is given of an encoding, such as `token_type_ids`, where the files say so.
  public var modelInputNames: [String]?
  /// The class of the Transformers library, such as `LlamaTokenizerFast`.
  public var tokenizerClass: String?

  /// A configuration that says nothing.
  public init() {}

  /// Reads a configuration from the contents of `tokenizer_config.json` and `special_tokens_map.json`;
  /// the former wins.
  public init(configuration: JSON?, specialTokensMap: JSON? = nil) {
    func token(_ key: String) -> String? { Self.content(configuration?[key]) ?? Self.content(specialTokensMap?[key]) }
    bosToken = token("bos_token")
    eosToken = token("eos_token")
    padToken = token("pad_token")
    unkToken = token("unk_token")
    clsToken = token("cls_token")
    sepToken = token("sep_token")
    maskToken = token("mask_token")
    additionalSpecialTokens =
      ["additional_special_tokens", "extra_special_tokens"]
      .compactMap { configuration?[$0]?.array ?? specialTokensMap?[$0]?.array }
      .joined().compactMap(Self.content)
    addsBeginningToken = configuration?["add_bos_token"]?.bool
    addsEndToken = configuration?["add_eos_token"]?.bool
    // Transformers writes about 1e30 where there is no limit.
    maximumLength = configuration?["model_max_length"]?.int.flatMap { $0 < 1_000_000_000 ? $0 : nil }
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
    chatTemplate = chatTemplates["default"]
  }

  /// Reads the files of a model directory; those that are not there say nothing.
  ///
  /// - Throws: `TokenizerError` when a file is not JSON.
  public init(directory: URL) throws(TokenizerError) {
    self.init(
      configuration: try JSON.ifPresent(at: directory.appending(path: "tokenizer_config.json")),
      specialTokensMap: try JSON.ifPresent(at: directory.appending(path: "special_tokens_map.json")))
    let folder = directory.appending(path: "additional_chat_templates")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path(percentEncoded: false))) ?? []
    for name in names where name.hasSuffix(".jinja") {
      chatTemplates[String(name.dropLast(6))] = try Self.template(at: folder.appending(path: name))
    }
    let file = directory.appending(path: "chat_template.jinja")
    if FileManager.default.fileExists(atPath: file.path(percentEncoded: false)) { chatTemplates["default"] = try Self.template(at: file) }
    chatTemplate = chatTemplates["default"]
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
    return tokens.compactMapValues { $0 }
  }

  /// A token written as a string or as an object with its `content`.
  private static func content(_ json: JSON?) -> String? { json?.string ?? json?["content"]?.string }
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
