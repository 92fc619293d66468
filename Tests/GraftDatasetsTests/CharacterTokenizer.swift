import GraftDatasets

/// One token a character (its code point, behind 10), `<s>` 1, `</s>` 2, `[MASK]` 3, `[SEP]` 4; "fi" is one token.
struct CharacterTokenizer: TextTokenizer {
  enum Style { case decoder, encoder }
  var style = Style.decoder

  var endOfSequenceText: String? { style == .decoder ? "</s>" : nil }
  var beginningOfSequenceText: String? { "<s>" }
  var maskID: Int32? { 3 }
  var truncatesLeft = false
  var vocabularySize: Int { 1000 }
  func isSpecial(_ id: Int32) -> Bool { id < 10 }
  /// Three sentinels, in the encoder's style only.
  func id(for token: String) -> Int32? { style == .encoder ? ["<extra_id_0>": 999, "<extra_id_1>": 998, "<extra_id_2>": 997][token] : nil }

  /// The text of ids, special tokens and all.
  static func text(_ ids: some Sequence<Int32>) -> String { ids.map { CharacterTokenizer().text(of: $0) ?? "" }.joined() }

  func text(of id: Int32) -> String? {
    let named: [Int32: String] = [1: "<s>", 2: "</s>", 3: "[MASK]", 4: "[SEP]", 9: "fi"]
    return named[id] ?? (id < 10 ? nil : Unicode.Scalar(UInt32(id) - 10).map(String.init))
  }

  static func id(_ character: Character) -> Int32 { Int32(character.unicodeScalars.first?.value ?? 0) + 10 }
  static func ids(_ text: String) -> [Int32] { text.map(id) }

  private func plain(_ text: String) -> [Int32] {
    var ids: [Int32] = []
    var rest = text[...]
    while !rest.isEmpty {
      let special: [(String, Int32)] = [("<s>", 1), ("</s>", 2), ("[MASK]", 3), ("[SEP]", 4), ("fi", 9)]
      if let (name, id) = special.first(where: { rest.hasPrefix($0.0) }) {
        ids.append(id)
        rest = rest.dropFirst(name.count)
      } else {
        ids.append(Self.id(rest.removeFirst()))
      }
    }
    return ids
  }

  func tokenize(_ text: String, pair: String?, addingSpecialTokens: Bool) -> TokenizedText {
    guard addingSpecialTokens else { return TokenizedText(ids: plain(text) + (pair.map(plain) ?? [])) }
    let body = plain(text)
    guard style == .encoder else {
      let ids = [1] + body + (pair.map(plain) ?? [])
      return TokenizedText(ids: ids, sequences: ids.indices.map { $0 == 0 ? nil : 0 })
    }
    let first = [1] + body + [4]
    let second = pair.map { plain($0) + [4] } ?? []
    let added = [0, first.count - 1, first.count + second.count - 1]
    let sequences = (first + second).indices.map { added.contains($0) ? nil : $0 < first.count ? 0 : 1 }
    return TokenizedText(ids: first + second, typeIDs: first.map { _ in 0 } + second.map { _ in 1 }, sequences: sequences)
  }
}
