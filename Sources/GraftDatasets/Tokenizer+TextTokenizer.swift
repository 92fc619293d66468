import GraftTokenizers

extension Tokenizer: TextTokenizer {
  public var truncatesLeft: Bool { configuration.truncatesLeft }
  public var endOfSequenceText: String? { configuration.eosToken }

  public func tokenize(_ text: String, pair: String?, addingSpecialTokens: Bool) -> TokenizedText {
    let (ids, typeIDs, sequences) = sequences(of: text, pair: pair, addingSpecialTokens: addingSpecialTokens)
    return TokenizedText(ids: ids, typeIDs: typeIDs, sequences: sequences)
  }
}
