import GraftJSON
import GraftRegularExpressions

/// A unigram language model (Kudo 2018): of all ways to divide a piece into tokens, the most probable one, found with
/// Viterbi's algorithm. A character that no token covers costs as much as the rarest token and ten more.
struct UnigramModel: TokenizerModel {
  let vocabulary: Vocabulary
  private let scores: [Double]
  private let trie: ByteTrie
  private let unknownID: Int32?
  private let unknownScore: Double
  /// The tokens `<0x00>` to `<0xFF>`, -1 where missing; empty without byte fallback.
  private let byteTokens: [Int32]

  /// The best way to get to a place of the piece.
  struct PathNode {
    var start = -1
    var id: Int32 = 0
    var score = 0.0
  }

  init(_ component: Component) throws(TokenizerError) {
    guard let entries = component.json["vocab"]?.array else {
      throw component.error("the Unigram model has no \"vocab\"")
    }
    var tokens: [String] = []
    var scores: [Double] = []
    tokens.reserveCapacity(entries.count)
    scores.reserveCapacity(entries.count)
    for entry in entries {
      guard let pair = entry.array, pair.count == 2, let token = pair[0].string, let score = pair[1].double else {
        throw component.error("entry \(tokens.count) of model.vocab is not a token and its score")
      }
      guard token.utf8.count <= ByteTrie.longestKey else {
        throw component.error("entry \(tokens.count) of model.vocab is longer than \(ByteTrie.longestKey) bytes")
      }
      tokens.append(token)
      scores.append(score)
    }
    let unknown = component.json["unk_id"]?.int
    if let unknown, !tokens.indices.contains(unknown) {
      throw component.error("model.unk_id \(unknown) is outside the vocabulary")
    }
    let vocabulary = Vocabulary(tokens)
    var trie = ByteTrie(minimumCapacity: tokens.count * 4)
    vocabulary.forEach { token, id in trie.insert(token, value: id) }
    self.vocabulary = vocabulary
    self.scores = scores
    self.trie = trie
    unknownID = unknown.map { Int32($0) }
    unknownScore = (scores.min() ?? .infinity) - 10
    byteTokens = component.bool("byte_fallback", default: false) ? vocabulary.byteTokens : []
  }

  func appendTokens(of piece: UnsafeBufferPointer<UInt8>, to ids: inout [Int32], using workspace: ModelWorkspace) {
    guard findBestPath(through: piece, &workspace.path) else { return }
    let firstToken = ids.count
    var end = piece.count
    while end > 0 {
      let node = workspace.path[end]
      var start = node.start
      if node.id == unknownID {
        // Unknown characters side by side are one unknown token.
        while start > 0, workspace.path[start].id == unknownID { start = workspace.path[start].start }
        appendFused(UnsafeBufferPointer(rebasing: piece[start..<end]), to: &ids)
      } else {
        ids.append(node.id)
      }
      end = start
    }
    ids[firstToken...].reverse()
  }

  /// Fills `path` with the best token that ends at every place; `false` when an unknown character has no token.
  private func findBestPath(through piece: UnsafeBufferPointer<UInt8>, _ path: inout [PathNode]) -> Bool {
    path.removeAll(keepingCapacity: true)
    path.append(contentsOf: repeatElement(PathNode(), count: piece.count + 1))
    var start = 0
    while start < piece.count {
      let scoreHere = path[start].score
      let characterEnd = start + scalarLength(piece[start])
      var coversCharacter = false
      trie.forEachMatch(in: piece, at: start) { end, id in
        Self.improve(&path[end], PathNode(start: start, id: id, score: scores[Int(id)] + scoreHere))
        if end == characterEnd { coversCharacter = true }
      }
      if !coversCharacter {
        guard let unknownID else { return false }
        Self.improve(&path[characterEnd], PathNode(start: start, id: unknownID, score: unknownScore + scoreHere))
      }
      start = characterEnd
    }
    return true
  }

  @inline(__always)
  private static func improve(_ node: inout PathNode, _ candidate: PathNode) {
    if node.start < 0 || candidate.score > node.score { node = candidate }
  }

  /// Appends, last first, what stands for characters without a token.
  private func appendFused(_ text: UnsafeBufferPointer<UInt8>, to ids: inout [Int32]) {
    if let id = vocabulary.id(of: text) {
      ids.append(id)
    } else if !byteTokens.isEmpty, text.allSatisfy({ byteTokens[Int($0)] >= 0 }) {
      for byte in text.reversed() { ids.append(byteTokens[Int(byte)]) }
    } else if let unknownID {
      ids.append(unknownID)
    }
  }
}
