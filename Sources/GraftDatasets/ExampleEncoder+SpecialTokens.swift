import GraftTokenizers

/// Beginnings and ends of sequences: what a text has already is not added again.
extension ExampleEncoder {
  /// The tokens of a text or a pair of texts with those that the tokenizer adds, but for those that stand there already.
  func tokenized(_ text: String, pair: String? = nil) -> TokenizedText {
    let whole = tokenizer.tokenize(text, pair: pair, addingSpecialTokens: true)
    guard let single = whole.withoutRepeats() else { return whole }
    for id in Set(whole.repeats) {
      notes.say("texts have \"\(tokenizer.text(of: id) ?? "\(id)")\" where the tokenizer adds it, which is not added again")
    }
    return single
  }

  /// A text to learn with the token behind it that ends a sequence.
  func ended(_ text: String) -> String {
    guard let ending = tokenizer.endOfSequenceText, !ending.isEmpty else { return text }
    guard !text.hasSuffix(ending) else {
      notes.say("texts end with \"\(ending)\" already, which is not added again")
      return text
    }
    return text + ending
  }
}

extension TextTokenizer {
  /// The tokens of a prompt as examples have them: with those that the tokenizer adds, but for those that stand there already.
  /// - Parameter length: the most of them; nil cuts nothing.
  public func promptIDs(_ prompt: String, cutTo length: Int? = nil) -> [Int32] {
    let whole = tokenize(prompt, pair: nil, addingSpecialTokens: true)
    return cut(whole.withoutRepeats() ?? whole, to: length).ids
  }
}

extension TokenizedText {
  /// The positions of added tokens that only repeat what the text beside them says.
  private var repeatedPositions: [Int] {
    let isAdded = sequences.map { $0 == nil }
    guard isAdded.contains(true) else { return [] }
    var positions: [Int] = []
    var start = 0
    while start < ids.count {
      guard isAdded[start] else {
        start += 1
        continue
      }
      let end = isAdded[start...].firstIndex(of: false) ?? ids.count
      let run = ids[start..<end]
      // The longest end of the run that the text behind it starts with, and the longest start that the text before it ends with.
      let behind = (1...run.count).last { ids[end...].starts(with: run.suffix($0)) } ?? 0
      let before = (1...run.count).last { ids[..<start].suffix($0).elementsEqual(run.prefix($0)) } ?? 0
      positions += Array(start..<start + before) + Array(max(start + before, end - behind)..<end)
      start = end
    }
    return positions
  }

  /// The added tokens that only repeat what the text beside them says.
  var repeats: [Int32] { repeatedPositions.map { ids[$0] } }

  /// The same without them; nil where there are none.
  func withoutRepeats() -> TokenizedText? {
    let dropped = Set(repeatedPositions)
    guard !dropped.isEmpty else { return nil }
    let kept = ids.indices.filter { !dropped.contains($0) }
    return TokenizedText(ids: kept.map { ids[$0] }, typeIDs: kept.map { typeIDs[$0] }, sequences: kept.map { sequences[$0] })
  }
}
