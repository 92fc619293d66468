import Foundation
import GraftJSON

/// A `tokenizer.json` with tokens added at the end, as the tokenizers library's `add_tokens` adds them.
public struct ExtendedTokenizer: Sendable {
  /// The contents of `tokenizer.json`.
  public let json: JSON
  /// The tokenizer with the new tokens.
  public let tokenizer: Tokenizer
  /// The added tokens' ids, in order.
  public let newIDs: [Int32]

  /// - Parameters:
  ///   - directory: the model directory whose tokenizer is extended.
  ///   - tokens: texts that are to become one token each.
  /// - Throws: `TokenizerError` for a text that is empty, given twice or a token already, where the directory's own tokenizer cannot be read,
  ///   and where it has no `tokenizer.json`.
  public init(directory: URL, adding tokens: [String]) throws(TokenizerError) {
    let file = directory.appending(path: "tokenizer.json")
    let path = file.path(percentEncoded: false)
    let known = try Tokenizer(directory: directory)
    guard var json = try JSON.ifPresent(at: file) else {
      throw TokenizerError("new_tokens", "RWKV's World vocabulary cannot grow", fix: "leave it out")
    }
    var entries = known.configuration.completing(json["added_tokens"]?.array ?? [])
    var nextID = known.vocabularySize
    for (index, token) in tokens.enumerated() {
      guard !token.isEmpty else { throw TokenizerError("new_tokens", "one is empty", fix: "give it a text") }
      guard known.id(for: token) == nil, !tokens[..<index].contains(token) else {
        throw TokenizerError("new_tokens", "\"\(token)\" is a token already", fix: "leave it out")
      }
      entries.append([
        "id": .integer(nextID), "content": .string(token), "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        "special": false,
      ])
      nextID += 1
    }
    json["added_tokens"] = .array(entries)
    self.json = json
    let extended = try Tokenizer(json: json, configuration: known.configuration, source: path)
    tokenizer = extended
    newIDs = tokens.compactMap { extended.id(for: $0) }
  }
}
