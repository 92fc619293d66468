import GraftTokenizers

extension Tokenizer: TextTokenizer {
  public var truncatesLeft: Bool { configuration.truncatesLeft }
  public var endOfSequenceText: String? { configuration.eosToken }
  public var beginningOfSequenceText: String? { configuration.bosToken }

  public func text(of id: Int32) -> String? { token(for: id) }

  public func tokenize(_ text: String, pair: String?, addingSpecialTokens: Bool) -> TokenizedText {
    guard pair != nil || addingSpecialTokens else { return TokenizedText(ids: encode(text, addingSpecialTokens: false)) }
    let run = run(of: text, pair: pair, addingSpecialTokens: addingSpecialTokens)
    return TokenizedText(ids: run.ids, typeIDs: run.typeIDs, sequences: run.sequences)
  }
}
