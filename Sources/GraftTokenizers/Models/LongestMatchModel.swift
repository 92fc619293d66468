/// RWKV's World tokenizer: of every place of a text the longest token that begins there, over bytes.
struct LongestMatchModel: TokenizerModel {
  let vocabulary: Vocabulary
  private let tokens: ByteTrie

  /// - Parameters:
  ///   - tokens: bytes with their ids.
  ///   - others: tokens that are not looked for in a text, such as that of its end.
  init(_ tokens: [(bytes: [UInt8], id: Int)], others: [(bytes: [UInt8], id: Int)]) {
    vocabulary = Vocabulary(tokens + others)
    var trie = ByteTrie(minimumCapacity: tokens.count * 4)
    for (bytes, id) in tokens { trie.insert(bytes, value: Int32(id)) }
    self.tokens = trie
  }

  func appendTokens(of piece: UnsafeBufferPointer<UInt8>, to ids: inout [Int32], using workspace: ModelWorkspace) {
    var start = 0
    while start < piece.count {
      guard let (end, id) = tokens.longestMatch(in: piece, at: start) else {
        // A byte that no token begins with says nothing.
        start += 1
        continue
      }
      ids.append(id)
      start = end
    }
  }
}
