import GraftTokenizers

extension Tokenizer: TextTokenizer {
  public var endOfSequenceText: String? { configuration.eosToken }

  public func tokenize(_ text: String, pair: String?, addingSpecialTokens: Bool) -> TokenizedText {
    guard let pair else { return TokenizedText(ids: encode(text, addingSpecialTokens: addingSpecialTokens)) }
    let encoding = encoding(of: text, pair: pair, addingSpecialTokens: addingSpecialTokens)
    return TokenizedText(ids: encoding.ids, typeIDs: encoding.typeIDs)
  }
}
