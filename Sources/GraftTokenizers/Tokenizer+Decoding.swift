extension Tokenizer {
  /// The text of token ids. Ids without a token are left out.
  public func decode(_ ids: some Sequence<Int32>, skippingSpecialTokens: Bool = true) -> String {
    String(decoding: decodedBytes(ids, skippingSpecialTokens: skippingSpecialTokens), as: UTF8.self)
  }

  fileprivate func decodedBytes(_ ids: some Sequence<Int32>, skippingSpecialTokens: Bool) -> [UInt8] {
    let tokens = ids.compactMap { id -> TokenBytes? in
      guard let token = tokenBytes(for: id), !skippingSpecialTokens || !addedTokens.isSpecial(token) else { return nil }
      return Array(token)
    }
    guard let decoder else { return Array(tokens.joined(separator: [0x20])) }
    return Array(decoder.decode(tokens).joined())
  }

  /// A decoder for ids that arrive one by one.
  public func makeStreamingDecoder() -> StreamingDecoder { StreamingDecoder(self, skippingSpecialTokens: true) }

  /// A decoder for ids that arrive one by one.
  public func makeStreamingDecoder(skippingSpecialTokens: Bool) -> StreamingDecoder {
    StreamingDecoder(self, skippingSpecialTokens: skippingSpecialTokens)
  }

  /// Decodes ids as they arrive, handing out only complete characters; all that it hands out makes the same text as
  /// decoding all ids at once.
  public struct StreamingDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let skipsSpecialTokens: Bool
    /// The last ids: those whose text is out, which may change how the next ones read, then those still held back.
    private var ids: [Int32] = []
    private var countOut = 0
    /// The bytes that the ids that are out make by themselves.
    private var bytesOut = 0

    fileprivate init(_ tokenizer: Tokenizer, skippingSpecialTokens: Bool) {
      self.tokenizer = tokenizer
      skipsSpecialTokens = skippingSpecialTokens
    }

    /// The text that one more id completes; empty in the middle of a character.
    public mutating func append(_ id: Int32) -> String {
      ids.append(id)
      let bytes = tokenizer.decodedBytes(ids, skippingSpecialTokens: skipsSpecialTokens)
      let replacementCharacter: [UInt8] = [0xEF, 0xBF, 0xBD]
      guard bytes.count > bytesOut, !bytes.suffix(3).elementsEqual(replacementCharacter) else { return "" }
      let text = String(decoding: bytes[bytesOut...], as: UTF8.self)
      ids.removeFirst(countOut)
      countOut = ids.count
      bytesOut = tokenizer.decodedBytes(ids, skippingSpecialTokens: skipsSpecialTokens).count
      return text
    }

    /// The text of what is still held back; the decoder then starts afresh.
    public mutating func finish() -> String {
      let bytes = tokenizer.decodedBytes(ids, skippingSpecialTokens: skipsSpecialTokens)
      let text = String(decoding: bytes.dropFirst(bytesOut), as: UTF8.self)
      ids = []
      countOut = 0
      bytesOut = 0
      return text
    }
  }
}
