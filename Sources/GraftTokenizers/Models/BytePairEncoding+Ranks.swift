/// A token of a vocabulary of bytes, with its rank, which is its id and its place in the order of merges.
typealias RankedToken = (bytes: [UInt8], rank: Int)

extension BytePairEncoding {
  /// Byte-pair encoding as tiktoken does it: of all neighbours that together are a token, those of the lowest rank are merged first, however
  /// the token was put together; a piece that is a token is left whole.
  ///
  /// Bytes are written in the alphabet that the byte-level pre-tokenizer writes them in.
  /// - Parameter tokens: with different ranks, all single bytes among them.
  init(_ tokens: [RankedToken]) {
    let raw = Vocabulary(tokens.map { ($0.bytes, $0.rank) })
    let table = IntegerTable(minimumCapacity: tokens.count * 4)
    for (bytes, rank) in tokens where bytes.count > 1 {
      bytes.withUnsafeBufferPointer { bytes in
        for cut in 1..<bytes.count {
          guard let left = raw.id(of: UnsafeBufferPointer(rebasing: bytes[..<cut])),
            let right = raw.id(of: UnsafeBufferPointer(rebasing: bytes[cut...]))
          else { continue }
          table.insert(UInt64(rank) << 32 | UInt64(rank), forKey: Self.mergeKey(left, right))
        }
      }
    }
    let written = tokens.map { token in
      var text: [UInt8] = []
      token.bytes.withUnsafeBufferPointer { ByteAlphabet.append($0, to: &text) }
      return (bytes: text, id: token.rank)
    }
    self.init(Vocabulary(written), merges: table)
  }

  /// A model over characters that are all tokens.
  private init(_ vocabulary: Vocabulary, merges: IntegerTable) {
    (self.vocabulary, self.merges) = (vocabulary, merges)
    (unknownID, continuingPrefix, endOfWordSuffix, fusesUnknown, byteTokens) = (nil, [], [], false, [])
    (ignoresMerges, cuts) = (true, nil)
    asciiTokens = (UInt8(0)..<128).map { vocabulary.id(of: [$0]) ?? -1 }
  }
}
