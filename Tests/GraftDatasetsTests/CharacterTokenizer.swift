import GraftDatasets

/// One token a character (its code point, behind 10), `<s>` 1, `</s>` 2, `[MASK]` 3, `[SEP]` 4; "fi" is one token.
struct CharacterTokenizer: TextTokenizer {
  enum Style { case decoder, encoder }
  var style = Style.decoder

  var endOfSequenceText: String? { style == .decoder ? "</s>" : nil }
  var maskID: Int32? { 3 }
  var truncatesLeft = false
  var vocabularySize: Int { 1000 }
  func isSpecial(_ id: Int32) -> Bool { id < 10 }
  /// Three sentinels, in the encoder's style only.
  func id(for token: String) -> Int32? { style == .encoder ? ["<extra_id_0>": 999, "<extra_id_1>": 998, "<extra_id_2>": 997][token] : nil }

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
    guard style == .encoder else { return TokenizedText(ids: [1] + plain(text) + (pair.map(plain) ?? [])) }
    let first = [1] + plain(text) + [4]
    let second = pair.map { plain($0) + [4] } ?? []
    func sequences(_ ids: [Int32], of text: Int) -> [Int?] { ids.map { $0 == 1 || $0 == 4 ? nil : text } }
    return TokenizedText(
      ids: first + second, typeIDs: first.map { _ in 0 } + second.map { _ in 1 }, sequences: sequences(first, of: 0) + sequences(second, of: 1))
  }
}
