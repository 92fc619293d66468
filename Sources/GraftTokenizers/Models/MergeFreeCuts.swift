import GraftRegularExpressions

/// The cuts of a text that do not change its byte-pair encoding: between two characters that no token holds side
/// by side, for a merge across such a cut would make such a token.
///
/// Tokenizers in the manner of SentencePiece hand the model whole documents as one piece. Cut into words they are
/// encoded in linear time, and the words' tokens are remembered.
struct MergeFreeCuts: Sendable {
  /// Pairs of scalars that some token holds side by side.
  private let neighbours: IntegerTable
  /// Scalars that are tokens themselves: others may join an unknown token with their neighbours.
  private let known: IntegerTable

  /// Shorter texts are not worth cutting.
  static let shortestText = 48

  init(_ vocabulary: Vocabulary) {
    let neighbours = IntegerTable(minimumCapacity: vocabulary.count)
    let known = IntegerTable(minimumCapacity: 1024)
    vocabulary.forEach { token, _ in
      var previous: UInt32?
      var count = 0
      for scalar in String(decoding: token, as: UTF8.self).unicodeScalars {
        if let previous { neighbours.insert(1, forKey: Self.key(previous, scalar.value)) }
        previous = scalar.value
        count += 1
      }
      if count == 1, let previous { known.insert(1, forKey: UInt64(previous)) }
    }
    self.neighbours = neighbours
    self.known = known
  }

  @inline(__always)
  func forEachPart(of text: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Void) {
    var start = 0
    var position = 0
    var previous: UInt32?
    while position < text.count {
      let (scalar, length) = decodeScalar(text, at: position)
      let isKnown = known[UInt64(scalar)] != nil
      if let previous, isKnown, neighbours[Self.key(previous, scalar)] == nil {
        body(UnsafeBufferPointer(rebasing: text[start..<position]))
        start = position
      }
      previous = isKnown ? scalar : nil
      position += length
    }
    if start < text.count { body(UnsafeBufferPointer(rebasing: text[start...])) }
  }

  @inline(__always)
  private static func key(_ left: UInt32, _ right: UInt32) -> UInt64 { UInt64(left) << 32 | UInt64(right) }
}
