/// Reads characters of GPT-2's alphabet as bytes; what is not UTF-8 becomes U+FFFD.
struct ByteLevelDecoder: TokenDecoder {
  func decode(_ tokens: [TokenBytes]) -> [TokenBytes] {
    var bytes: [UInt8] = []
    for token in tokens {
      token.withUnsafeBufferPointer { token in
        if !ByteAlphabet.appendBytes(spelledBy: token, to: &bytes) { bytes.append(contentsOf: token) }
      }
    }
    return [Array(String(decoding: bytes, as: UTF8.self).utf8)]
  }
}

/// Reads "▁" as a space, but for those of the first token.
struct MetaspaceDecoder: TokenDecoder {
  let replacement: [UInt8]
  let dropsFirst: Bool

  func decode(_ tokens: [TokenBytes]) -> [TokenBytes] {
    tokens.enumerated().map { index, token in
      token.replacing(replacement, with: index == 0 && dropsFirst ? [] : [0x20])
    }
  }
}

/// Reads the suffix that ends words as a space, but for the last token.
struct SuffixDecoder: TokenDecoder {
  let suffix: [UInt8]

  func decode(_ tokens: [TokenBytes]) -> [TokenBytes] {
    tokens.enumerated().map { index, token in
      token.replacing(suffix, with: index == tokens.count - 1 ? [] : [0x20])
    }
  }
}

/// Joins runs of tokens like `<0xE2>` into characters; a run that is not UTF-8 becomes one U+FFFD per token.
struct ByteFallbackDecoder: TokenDecoder {
  func decode(_ tokens: [TokenBytes]) -> [TokenBytes] {
    var result: [TokenBytes] = []
    var run: [UInt8] = []
    func endRun() {
      guard !run.isEmpty else { return }
      if String(validating: run, as: UTF8.self) != nil {
        result.append(run)
      } else {
        result.append(contentsOf: repeatElement(Array("\u{FFFD}".utf8), count: run.count))
      }
      run.removeAll()
    }
    for token in tokens {
      if let byte = Self.byte(token) {
        run.append(byte)
      } else {
        endRun()
        result.append(token)
      }
    }
    endRun()
    return result
  }

  private static func byte(_ token: TokenBytes) -> UInt8? {
    guard token.count == 6, token.starts(with: "<0x".utf8), token[5] == UInt8(ascii: ">") else { return nil }
    return UInt8(String(decoding: token[3..<5], as: UTF8.self), radix: 16)
  }
}

/// Joins all tokens.
struct FuseDecoder: TokenDecoder {
  func decode(_ tokens: [TokenBytes]) -> [TokenBytes] { [Array(tokens.joined())] }
}

/// Removes up to so many of a character from the ends of every token.
struct StripDecoder: TokenDecoder {
  let content: [UInt8]
  let atStart: Int
  let atEnd: Int

  func decode(_ tokens: [TokenBytes]) -> [TokenBytes] {
    tokens.map { token in
      var rest = token[...]
      var count = 0
      while count < atStart, !rest.isEmpty, rest.starts(with: content) {
        rest = rest.dropFirst(content.count)
        count += 1
      }
      count = 0
      while count < atEnd, !rest.isEmpty, rest.suffix(content.count).elementsEqual(content) {
        rest = rest.dropLast(content.count)
        count += 1
      }
      return Array(rest)
    }
  }
}

/// Replaces the matches of a pattern in every token.
struct ReplaceDecoder: TokenDecoder {
  let replacer: ReplaceNormalizer

  func decode(_ tokens: [TokenBytes]) -> [TokenBytes] { tokens.map { replacer.replace($0).bytes } }

  var growth: Double { replacer.growth }
}
