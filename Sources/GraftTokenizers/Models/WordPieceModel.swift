import GraftJSON

/// WordPiece (Schuster and Nakajima 2012, as BERT uses it): the longest token first, from the left.
/// A word that does not divide into tokens is unknown as a whole.
struct WordPieceModel: TokenizerModel {
  let vocabulary: Vocabulary
  let unknownID: Int32?
  /// The tokens that begin a word, and without their prefix those that continue one.
  private let beginnings: ByteTrie, continuations: ByteTrie
  /// In characters; longer words are unknown.
  let longestWord: Int

  init(_ component: Component) throws(TokenizerError) {
    let json = component.json
    guard let members = json["vocab"]?.object else { throw component.error("the WordPiece model has no \"vocab\"") }
    vocabulary = try Vocabulary(members, source: component.source)
    unknownID = vocabulary.id(of: json["unk_token"]?.string ?? "[UNK]")
    let prefix = Array((json["continuing_subword_prefix"]?.string ?? "##").utf8)
    var beginnings = ByteTrie(minimumCapacity: members.count * 4)
    var continuations = ByteTrie(minimumCapacity: members.count * 4)
    for (token, _) in members {
      guard token.utf8.count <= ByteTrie.longestKey else {
        throw component.error("the token \"\(token.prefix(40))...\" is longer than \(ByteTrie.longestKey) bytes")
      }
      guard let id = vocabulary.id(of: token) else { continue }
      beginnings.insert(token.utf8, value: id)
      if token.utf8.starts(with: prefix) { continuations.insert(token.utf8.dropFirst(prefix.count), value: id) }
    }
    (self.beginnings, self.continuations) = (beginnings, continuations)
    longestWord = json["max_input_chars_per_word"]?.int ?? 100
  }

  func appendTokens(of piece: UnsafeBufferPointer<UInt8>, to ids: inout [Int32], using workspace: ModelWorkspace) {
    let firstToken = ids.count
    let length = piece.reduce(0) { $0 + ($1 & 0xC0 != 0x80 ? 1 : 0) }
    var start = 0
    while length <= longestWord {
      guard start < piece.count else { return }
      guard let (end, id) = (start == 0 ? beginnings : continuations).longestMatch(in: piece, at: start) else { break }
      ids.append(id)
      start = end
    }
    ids.removeSubrange(firstToken...)
    if let unknownID { ids.append(unknownID) }
  }
}
