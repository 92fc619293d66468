import Foundation
import GraftJSON
import Synchronization

/// Turns text into token ids and back, exactly as `tokenizer.json` describes it.
///
/// Encoding: added tokens are split off, the rest is normalized, split into pieces, and each piece is divided into
/// tokens by the model; at the end a post-processor puts special tokens round the sequence. The `truncation` and
/// `padding` of the file are left to the caller, who knows the batch.
public final class Tokenizer: Sendable {
  /// The settings in the files beside `tokenizer.json`.
  public let configuration: TokenizerConfiguration

  let model: any TokenizerModel
  let addedTokens: AddedTokens
  let normalizer: (any Normalizer)?
  let preTokenizer: (any PreTokenizer)?
  let postProcessor: (any PostProcessor)?
  let decoder: (any TokenDecoder)?
  let workspaces = Mutex<[ModelWorkspace]>([])

  /// Reads the tokenizer of a model directory: its `tokenizer.json`, or the vocabulary of RWKV's World models or of the first Qwen.
  ///
  /// - Throws: `TokenizerError` when the file is missing or damaged, or uses a component that is not known.
  ///
  /// - Parameter chatTemplates: Templates by name in the place of the directory's own.
  public convenience init(directory: URL, chatTemplates: [String: String]? = nil) throws(TokenizerError) {
    let file = directory.appending(path: "tokenizer.json")
    let path = file.path(percentEncoded: false)
    let json = try JSON.ifPresent(at: file)
    var configuration = try TokenizerConfiguration(directory: directory)
    if let chatTemplates { configuration.chatTemplates = chatTemplates }
    if let json {
      try self.init(json: json, configuration: configuration, source: path)
    } else if let parts = try Self.worldParts(in: directory, configuration) {
      self.init(configuration, parts)
    } else if let parts = try Self.tiktokenParts(in: directory, &configuration) {
      self.init(configuration, parts)
    } else {
      throw TokenizerError(
        path, "no such file", fix: "save the model's tokenizer in the format of the tokenizers library")
    }
  }

  /// A tokenizer that no `tokenizer.json` describes.
  init(_ configuration: TokenizerConfiguration, _ parts: TokenizerParts) {
    (self.configuration, model, addedTokens) = (configuration, parts.model, parts.addedTokens)
    (normalizer, preTokenizer, postProcessor, decoder) = (parts.normalizer, parts.preTokenizer, nil, parts.decoder)
  }

  /// Makes a tokenizer from the contents of `tokenizer.json`.
  ///
  /// - Parameters:
  ///   - json: the parsed file.
  ///   - configuration: the settings in other files.
  ///   - source: the file's path, for errors.
  /// - Throws: `TokenizerError` when the contents are damaged or use a component that is not known.
  public init(json: JSON, configuration: TokenizerConfiguration, source: String) throws(TokenizerError) {
    func component(_ key: String, _ kind: String) -> Component? {
      guard let value = json[key], !value.isNull else { return nil }
      return Component(json: value, kind: kind, source: source)
    }
    guard let modelComponent = component("model", "tokenizer model") else {
      throw TokenizerError(source, "there is no \"model\"", fix: "make sure that it is a tokenizer.json")
    }
    self.configuration = configuration
    normalizer = try component("normalizer", "normalizer").map(makeNormalizer)
    preTokenizer = try component("pre_tokenizer", "pre-tokenizer").map(makePreTokenizer)
    postProcessor = try component("post_processor", "post-processor").map(makePostProcessor)
    decoder = try component("decoder", "decoder").map(makeDecoder)
    model = try makeModel(modelComponent, textIsUnsplit: preTokenizer?.keepsTextWhole ?? true)
    addedTokens = try AddedTokens(
      .array(configuration.completing(json["added_tokens"]?.array ?? [])), model: model.vocabulary, normalizer: normalizer,
      source: source)
  }

  /// The number of different tokens, added tokens included.
  public var vocabularySize: Int {
    let known = model.vocabulary
    return known.count + addedTokens.contents.count { known.id(of: Array($0)) == nil }
  }

  /// The token with this id.
  public func token(for id: Int32) -> String? {
    tokenBytes(for: id).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The id of a token.
  public func id(for token: String) -> Int32? {
    addedTokens.id(of: token) ?? model.vocabulary.id(of: token)
  }

  /// Returns true where the token with this id is special: it structures the text instead of being part of it.
  public func isSpecial(_ id: Int32) -> Bool {
    tokenBytes(for: id).map { addedTokens.isSpecial($0) } ?? false
  }

  func tokenBytes(for id: Int32) -> ArraySlice<UInt8>? {
    addedTokens.bytes(of: id)?[...] ?? model.vocabulary.bytes(of: id)
  }

  /// The id of the beginning-of-sequence token.
  public var beginningOfSequenceID: Int32? { configuration.bosToken.flatMap(id(for:)) }
  /// The id of the end-of-sequence token.
  public var endOfSequenceID: Int32? { configuration.eosToken.flatMap(id(for:)) }
  /// The id of the padding token.
  public var paddingID: Int32? { configuration.padToken.flatMap(id(for:)) }
  /// The id of the unknown token.
  public var unknownID: Int32? { configuration.unkToken.flatMap(id(for:)) }
  /// The id of the mask.
  public var maskID: Int32? { configuration.maskToken.flatMap(id(for:)) }
}

/// The steps of a tokenizer that no `tokenizer.json` describes.
struct TokenizerParts {
  let model: any TokenizerModel
  let addedTokens: AddedTokens
  var normalizer: (any Normalizer)? = nil
  var preTokenizer: (any PreTokenizer)? = nil
  let decoder: any TokenDecoder
}
