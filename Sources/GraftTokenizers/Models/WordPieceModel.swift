import GraftJSON

/// WordPiece (Schuster and Nakajima 2012, as BERT uses it): the longest token first, from the left.
/// A word that does not divide into tokens is unknown as a whole.
struct WordPieceModel: TokenizerModel {
  let vocabulary: Vocabulary
  let unknownID: Int32?
  let continuingPrefix: [UInt8]
  /// In characters; longer words are unknown.
  let longestWord: Int

  init(_ component: Component) throws(TokenizerError) {
    let json = component.json
    guard let members = json["vocab"]?.object else { throw component.error("the WordPiece model has no \"vocab\"") }
    vocabulary = try Vocabulary(members, source: component.source)
    unknownID = vocabulary.id(of: json["unk_token"]?.string ?? "[UNK]")
    continuingPrefix = Array((json["continuing_subword_prefix"]?.string ?? "##").utf8)
    longestWord = json["max_input_chars_per_word"]?.int ?? 100
  }

  func appendTokens(of piece: UnsafeBufferPointer<UInt8>, to ids: inout [Int32], using workspace: ModelWorkspace) {
    let firstToken = ids.count
    let length = piece.reduce(0) { $0 + ($1 & 0xC0 != 0x80 ? 1 : 0) }
    var start = 0
    while length <= longestWord {
      guard start < piece.count else { return }
      guard let (id, end) = longestToken(of: piece, from: start, &workspace.bytes) else { break }
      ids.append(id)
      start = end
    }
    ids.removeSubrange(firstToken...)
    if let unknownID { ids.append(unknownID) }
  }

  private func longestToken(
    of piece: UnsafeBufferPointer<UInt8>, from start: Int, _ buffer: inout [UInt8]
  ) -> (id: Int32, end: Int)? {
    buffer.removeAll(keepingCapacity: true)
    if start > 0 { buffer.append(contentsOf: continuingPrefix) }
    buffer.append(contentsOf: piece[start...])
    var end = piece.count
    while end > start {
      if let id = vocabulary.id(of: buffer) { return (id, end) }
      repeat {
        buffer.removeLast()
        end -= 1
      } while piece[end] & 0xC0 == 0x80
    }
    return nil
  }
}
