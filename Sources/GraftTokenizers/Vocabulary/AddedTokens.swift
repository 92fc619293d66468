import GraftJSON
import GraftRegularExpressions

/// A token that is found in the text before anything else happens to it.
struct AddedToken: Sendable {
  var id: Int32
  var content: String
  /// Only between word boundaries.
  var isSingleWord: Bool
  /// Takes the white space before it, and after it.
  var stripsLeft: Bool
  var stripsRight: Bool
  /// Looked for in the normalized text instead of the original.
  var isNormalized: Bool
  /// Left out when ids are decoded.
  var isSpecial: Bool
}

/// The tokens added to a model's vocabulary.
struct AddedTokens: Sendable {
  /// The last token of every id.
  private(set) var byID: [Int32: AddedToken] = [:]
  private var positions = ByteStringTable()
  private var ids: [Int32] = []
  private var specials = ByteStringTable()
  /// The form of a token with `isNormalized` in normalized text, where it differs.
  private var normalizedForms: [Int32: [UInt8]] = [:]
  private var originalTrie = ByteTrie()
  private var normalizedTrie = ByteTrie()

  /// Reads `added_tokens`. A token the model knows keeps the model's id; others get the next free id in turn,
  /// which is the one in the file unless the file was edited.
  init(
    _ json: JSON?, model vocabulary: Vocabulary, normalizer: (any Normalizer)?, source: String
  ) throws(TokenizerError) {
    var nextID = Int32(vocabulary.count)
    for (index, entry) in (json?.array ?? []).enumerated() {
      guard let content = entry["content"]?.string, let id = entry["id"]?.int, (0..<1 << 24).contains(id) else {
        throw TokenizerError(source, "added_tokens[\(index)] has no id or no content", fix: "repair the file")
      }
      if content.isEmpty { continue }
      var token = AddedToken(
        id: 0, content: content, isSingleWord: entry["single_word"]?.bool ?? false,
        stripsLeft: entry["lstrip"]?.bool ?? false, stripsRight: entry["rstrip"]?.bool ?? false,
        isNormalized: entry["normalized"]?.bool ?? true, isSpecial: entry["special"]?.bool ?? false)
      if let known = self.id(of: content) ?? vocabulary.id(of: content) {
        token.id = known
      } else {
        token.id = nextID
        nextID += 1
      }
      add(token, normalizer)
    }
    for (id, token) in byID.sorted(by: { $0.key < $1.key }) {
      let form = normalizedForms[id] ?? Array(token.content.utf8)
      guard form.count <= ByteTrie.longestKey else {
        throw TokenizerError(source, "the added token \(id) is longer than \(ByteTrie.longestKey) bytes", fix: "remove it")
      }
      if token.isNormalized { normalizedTrie.insert(form, value: id) } else { originalTrie.insert(form, value: id) }
    }
  }

  private mutating func add(_ token: AddedToken, _ normalizer: (any Normalizer)?) {
    let content = Array(token.content.utf8)
    if token.isNormalized, let normalizer {
      var text = NormalizedText(content)
      normalizer.normalize(&text)
      if text.bytes != content { normalizedForms[token.id] = text.bytes }
    }
    let position = positions.insert(token.content)
    if position == ids.count { ids.append(token.id) } else { ids[position] = token.id }
    if token.isSpecial { specials.insert(token.content) }
    byID[token.id] = token
  }

  /// The contents of all added tokens.
  var contents: [ArraySlice<UInt8>] { ids.indices.map { positions[$0] } }

  func id(of content: String) -> Int32? { positions.position(of: content).map { ids[$0] } }

  /// The text that stands for an added token when it is decoded: its normalized form, if it has one of its own.
  func bytes(of id: Int32) -> [UInt8]? {
    normalizedForms[id] ?? byID[id].map { Array($0.content.utf8) }
  }

  /// Returns true where a token of this text is special.
  func isSpecial(_ content: ArraySlice<UInt8>) -> Bool {
    content.withUnsafeBufferPointer { specials.position(of: $0) } != nil
  }

  /// Splits off the tokens that are looked for in the original text, or those looked for in the normalized text.
  func split(_ text: inout PieceText, normalized: Bool) {
    let trie = normalized ? normalizedTrie : originalTrie
    guard !trie.isEmpty else { return }
    var result: [PieceText.Piece] = []
    text.bytes.withUnsafeBufferPointer { bytes in
      for piece in text.pieces {
        if piece.token >= 0 { result.append(piece) } else { split(piece, of: bytes, with: trie, into: &result) }
      }
    }
    text.pieces = result
  }

  private func split(
    _ piece: PieceText.Piece, of bytes: UnsafeBufferPointer<UInt8>, with trie: ByteTrie,
    into result: inout [PieceText.Piece]
  ) {
    let text = UnsafeBufferPointer(rebasing: bytes[piece.start..<piece.end])
    func append(_ start: Int, _ end: Int, token: Int32 = -1) {
      guard start < end else { return }
      result.append(
        PieceText.Piece(
          start: piece.start + start, end: piece.start + end, token: token, isFirst: piece.isFirst && start == 0))
    }
    var done = 0
    var position = 0
    while position < text.count {
      guard let match = trie.longestMatch(in: text, at: position), let token = byID[match.value] else {
        position += 1
        continue
      }
      var start = position
      var end = match.end
      position = match.end
      if token.isSingleWord, wordTouches(text, start, end) { continue }
      if token.stripsLeft { start = max(done, text.whiteSpaceStart(before: start)) }
      if token.stripsRight { end = text.whiteSpaceEnd(after: end) }
      append(done, start)
      append(start, end, token: token.id)
      done = end
    }
    append(done, text.count)
  }

  private func wordTouches(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) -> Bool {
    if start > 0, ScalarClass.isWord(text.scalar(before: start)) { return true }
    return end < text.count && ScalarClass.isWord(decodeScalar(text, at: end).scalar)
  }
}
