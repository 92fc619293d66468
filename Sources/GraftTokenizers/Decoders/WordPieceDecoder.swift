/// Joins word pieces: a space before every token that does not start with the prefix of continuations.
struct WordPieceDecoder: TokenDecoder {
  let prefix: [UInt8]
  let cleansUp: Bool

  func decode(_ tokens: [TokenBytes]) -> [TokenBytes] {
    tokens.enumerated().map { index, token in
      var result = token
      if index > 0 { result = token.starts(with: prefix) ? Array(token.dropFirst(prefix.count)) : [0x20] + token }
      return cleansUp ? Self.cleanUp(result) : result
    }
  }

  private static let replacements: [(TokenBytes, TokenBytes)] = [
    (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
    (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
  ].map { (Array($0.0.utf8), Array($0.1.utf8)) }

  /// Takes back the spaces before punctuation and contractions of English.
  static func cleanUp(_ token: TokenBytes) -> TokenBytes {
    replacements.reduce(token) { $0.replacing($1.0, with: $1.1) }
  }
}

/// Reads connectionist temporal classification: repeated tokens are one, padding is nothing.
struct CTCDecoder: TokenDecoder {
  let padding: [UInt8]
  let wordDelimiter: [UInt8]
  let cleansUp: Bool

  func decode(_ tokens: [TokenBytes]) -> [TokenBytes] {
    var result: [TokenBytes] = []
    var previous: TokenBytes?
    for token in tokens where token != previous {
      previous = token
      var text = token.replacing(padding, with: [])
      if cleansUp { text = WordPieceDecoder.cleanUp(text).replacing(wordDelimiter, with: [0x20]) }
      if !text.isEmpty { result.append(text) }
    }
    return result
  }
}

extension [UInt8] {
  /// With every occurrence of `old`, from left to right, replaced.
  func replacing(_ old: [UInt8], with new: [UInt8]) -> [UInt8] {
    guard let first = old.first, contains(first) else { return self }
    var result: [UInt8] = []
    var position = 0
    while position < count {
      if self[position] == first, self[position...].starts(with: old) {
        result += new
        position += old.count
      } else {
        result.append(self[position])
        position += 1
      }
    }
    return result
  }
}
