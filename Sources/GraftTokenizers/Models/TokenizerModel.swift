import GraftJSON

/// The last step of encoding: the tokens of one piece of text.
protocol TokenizerModel: Sendable {
  var vocabulary: Vocabulary { get }

  /// Appends the ids of the tokens that `piece` (UTF-8, not empty) falls into.
  func appendTokens(of piece: UnsafeBufferPointer<UInt8>, to ids: inout [Int32], using workspace: ModelWorkspace)
}

/// Memory that models use over and over, for one thread at a time.
final class ModelWorkspace: @unchecked Sendable {
  var symbols: [BytePairEncoding.Symbol] = []
  var mergeQueue = MergeQueue()
  var path: [UnigramModel.PathNode] = []
  var bytes: [UInt8] = []
  fileprivate var cache = PieceCache()
}

extension TokenizerModel {
  /// As `appendTokens(of:to:using:)`, remembering the tokens of short pieces: text repeats its words.
  @inline(__always)
  func appendCachedTokens(
    of piece: UnsafeBufferPointer<UInt8>, to ids: inout [Int32], using workspace: ModelWorkspace
  ) {
    if workspace.cache.append(piece, to: &ids) { return }
    let start = ids.count
    appendTokens(of: piece, to: &ids, using: workspace)
    workspace.cache.insert(piece, ids[start...])
  }
}

/// The tokens of pieces met before.
private struct PieceCache {
  private var pieces = ByteStringTable(minimumCapacity: 4096)
  private var ids: [Int32] = []
  private var ends: [Int32] = []

  private static let longestPiece = 96
  private static let capacity = 1 << 17

  /// Appends the ids of a piece if they are known; answers whether they are.
  @inline(__always)
  func append(_ piece: UnsafeBufferPointer<UInt8>, to result: inout [Int32]) -> Bool {
    guard piece.count <= Self.longestPiece, let position = pieces.position(of: piece) else { return false }
    let end = Int(ends[position])
    var index = position == 0 ? 0 : Int(ends[position - 1])
    while index < end {
      result.append(ids[index])
      index += 1
    }
    return true
  }

  mutating func insert(_ piece: UnsafeBufferPointer<UInt8>, _ tokens: ArraySlice<Int32>) {
    guard piece.count <= Self.longestPiece, pieces.count < Self.capacity else { return }
    pieces.insert(piece)
    ids.append(contentsOf: tokens)
    ends.append(Int32(ids.count))
  }
}

/// Reads the `model` of `tokenizer.json`. Files older than the `type` key are told by their members.
func makeModel(_ component: Component, textIsUnsplit: Bool) throws(TokenizerError) -> any TokenizerModel {
  let json = component.json
  let type =
    json["type"]?.string
    ?? (json["merges"] != nil
      ? "BPE"
      : json["vocab"]?.array != nil
        ? "Unigram"
        : json["continuing_subword_prefix"] != nil ? "WordPiece" : "WordLevel")
  switch type {
  case "BPE": return try BytePairEncoding(component, textIsUnsplit: textIsUnsplit)
  case "WordPiece": return try WordPieceModel(component)
  case "Unigram": return try UnigramModel(component)
  case "WordLevel": return try WordLevelModel(component)
  default: throw component.unknown()
  }
}
