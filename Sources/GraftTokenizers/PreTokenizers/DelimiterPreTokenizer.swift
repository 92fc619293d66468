import GraftRegularExpressions

/// Splits at single characters of some kind.
struct DelimiterPreTokenizer: PreTokenizer {
  let behavior: SplitBehavior
  let isDelimiter: @Sendable (UInt32) -> Bool

  func split(_ text: inout PieceText) {
    var stretches: [SplitBehavior.Stretch] = []
    text.split { bytes, piece, append in
      stretches.removeAll(keepingCapacity: true)
      var start = piece.lowerBound
      bytes.forEachScalar(in: piece) { scalar, place in
        guard isDelimiter(scalar) else { return }
        if start < place.lowerBound { stretches.append((start..<place.lowerBound, false)) }
        stretches.append((place, true))
        start = place.upperBound
      }
      if start < piece.upperBound { stretches.append((start..<piece.upperBound, false)) }
      behavior.forEachPiece(of: stretches, append)
    }
  }
}

/// BERT's: white space separates, every punctuation character stands alone.
struct BertPreTokenizer: PreTokenizer {
  private let steps = [
    DelimiterPreTokenizer(behavior: .removed, isDelimiter: ScalarClass.isWhiteSpace),
    DelimiterPreTokenizer(behavior: .isolated, isDelimiter: ScalarClass.isPunctuation),
  ]

  func split(_ text: inout PieceText) { for step in steps { step.split(&text) } }
}

/// Words, with the joiners in them, and runs of what is neither word nor white space.
struct WordPreTokenizer: PreTokenizer {
  private let splitter: SplitPreTokenizer

  init(_ component: Component) throws(TokenizerError) {
    let word = #"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200C\u200D"#
    do {
      let pattern = try RegularExpression("[\(word)]+|[^\(word)\\s]+")
      splitter = SplitPreTokenizer(pattern: pattern, behavior: .removed, isInverted: true)
    } catch {
      throw component.error(error.description)
    }
  }

  func split(_ text: inout PieceText) { splitter.split(&text) }
}

/// Pieces of so many characters.
struct FixedLengthPreTokenizer: PreTokenizer {
  let length: Int

  func split(_ text: inout PieceText) {
    text.split { bytes, piece, append in
      var start = piece.lowerBound
      var count = 0
      bytes.forEachScalar(in: piece) { _, place in
        count += 1
        if count == length {
          append(start..<place.upperBound)
          start = place.upperBound
          count = 0
        }
      }
      append(start..<piece.upperBound)
    }
  }
}
