import GraftJSON

/// Tokens that the files beside `tokenizer.json` add to it, as Transformers adds them when it reads a tokenizer.
extension TokenizerConfiguration {
  /// Returns the `added_tokens` of `tokenizer.json`, and behind them the tokens that are listed with other flags and the special
  /// ones that are not there yet.
  func completing(_ entries: [JSON]) -> [JSON] {
    var byContent: [String: [JSON]] = [:]
    for entry in entries.compactMap(Self.entry) { byContent[Self.content(entry) ?? "", default: []].append(entry) }
    var more: [JSON] = []
    func add(_ token: JSON, unless isKnown: ([JSON]) -> Bool) {
      let content = Self.content(token) ?? ""
      guard !isKnown(byContent[content] ?? []) else { return }
      byContent[content, default: []].append(token)
      more.append(token)
    }
    for token in listedTokens { add(token) { $0.contains { Self.isSame($0, token) } } }
    for token in specialTokens { add(token) { !$0.isEmpty } }
    return entries + more
  }

  /// `added_tokens_decoder` in the order of its ids.
  static func listedTokens(_ configuration: JSON?) -> [JSON] {
    let tokens = (configuration?["added_tokens_decoder"]?.object ?? [:]).compactMap { key, value in Int(key).map { ($0, value) } }
    return tokens.sorted { $0.0 < $1.0 }.compactMap { entry(of: $0.1) }
  }

  /// A token, given as a text or with its flags, as a special one.
  static func specialEntry(of token: JSON) -> JSON? {
    var special = token.string == nil ? token : ["content": token]
    special["special"] = true
    return entry(of: special)
  }

  /// A token as `tokenizer.json` lists it, with the flags that the `tokenizers` library gives by default.
  private static func entry(of token: JSON) -> JSON? {
    guard let content = content(token), !content.isEmpty else { return nil }
    let isSpecial = token["special"]?.bool ?? false
    func flag(_ key: String, _ standard: Bool = false) -> JSON { .bool(token[key]?.bool ?? standard) }
    return [
      "id": 0, "content": .string(content), "single_word": flag("single_word"), "lstrip": flag("lstrip"), "rstrip": flag("rstrip"),
      "normalized": flag("normalized", !isSpecial), "special": .bool(isSpecial),
    ]
  }

  private static func isSame(_ left: JSON, _ right: JSON) -> Bool {
    ["content", "single_word", "lstrip", "rstrip", "normalized", "special"].allSatisfy { left[$0] == right[$0] }
  }
}
