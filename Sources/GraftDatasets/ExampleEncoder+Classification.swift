import GraftBatching
import GraftJSON

/// Masked language modelling and classification: inputs of encoders.
extension ExampleEncoder {
  /// A text with masks, and the words behind them, each of one token.
  func masked(_ record: DataRecord, cutTo length: Int?) throws -> CutExample {
    let whole = tokenized(try record.text("text"))
    let words = try record.texts("labels")
    let maskCount = whole.ids.count { $0 == tokenizer.maskID }
    guard maskCount == words.count else {
      throw record.error("the text has \(maskCount) masks and \(words.count) labels", "give one label for each mask")
    }
    let tokenized = tokenizer.cut(whole, to: length)
    let masks = tokenized.ids.indices.filter { tokenized.ids[$0] == tokenizer.maskID }
    var labels = Array(repeating: Batch.ignoredTarget, count: tokenized.ids.count)
    for (position, word) in zip(masks, tokenizer.truncatesLeft ? words.suffix(masks.count) : words.prefix(masks.count)) {
      let ids = tokenizer.ids(word, special: false)
      guard ids.count == 1 else {
        throw record.error("the label \"\(word)\" is \(ids.count) tokens, not one", "mask words that are one token")
      }
      labels[position] = ids[0]
    }
    let example = encoderInput(tokenized, tokenLabels: labels)
    return CutExample(example, wholeLength: whole.ids.count, lostMaskCount: words.count - masks.count)
  }

  /// A text, or a pair, of which a share of the tokens (15 % in the paper) are to be predicted: 80 % of those masked, 10 %
  /// replaced by a random token and 10 % left as they are (Devlin et al., 2019).
  func randomlyMasked(_ text: TokenizedText, record: DataRecord, index: Int) throws -> EncodedExample {
    guard tokenizer.maskID != nil else {
      throw record.error("the tokenizer has no mask token", "use a model for masked language modelling")
    }
    var tokenized = text
    var random = CounterRandom(seed: maskingSeed, stream: 0x6D61_736B, UInt64(index))
    let labels = mask(&tokenized.ids, &random)
    return encoderInput(tokenized, tokenLabels: labels)
  }

  /// Masks tokens in place.
  /// - Returns: the label to be predicted at each of them.
  private func mask(_ ids: inout [Int32], _ random: inout CounterRandom) -> [Int32] {
    var labels = Array(repeating: Batch.ignoredTarget, count: ids.count)
    for position in ids.indices where !tokenizer.isSpecial(ids[position]) {
      guard random.next(below: 1_000_000) < Int(corruption.rate * 1_000_000) else { continue }
      labels[position] = ids[position]
      switch random.next(below: 10) {
      case 0: break
      case 1: ids[position] = Int32(random.next(below: tokenizer.vocabularySize))
      default: ids[position] = tokenizer.maskID ?? ids[position]
      }
    }
    return labels
  }

  /// The same text with other tokens masked, drawn from the example's number and the epoch.
  func maskedAgain(_ example: EncodedExample, index: Int, epoch: Int) -> EncodedExample {
    var result = example
    result.tokens = zip(example.tokens, example.tokenLabels ?? []).map { $1 == Batch.ignoredTarget ? $0 : $1 }
    var random = CounterRandom(seed: maskingSeed, stream: 0x6D61_736B, UInt64(index), UInt64(epoch))
    let labels = mask(&result.tokens, &random)
    result.tokenLabels = labels
    result.isScored = labels.map { $0 != Batch.ignoredTarget }
    return result
  }

  func classified(_ record: DataRecord, cutTo length: Int?) throws -> CutExample {
    let whole = tokenized(try record.text("text"), pair: try record.optionalText("text_pair"))
    var example = encoderInput(tokenizer.cut(whole, to: length), tokenLabels: nil)
    if requiresLabels { example.label = try labels.orIndices.label(of: try record.labelField(), in: record) }
    return CutExample(example, wholeLength: whole.ids.count)
  }

  /// Words with a label each, which the first token of the word carries.
  func wordsClassified(_ record: DataRecord, cutTo length: Int?) throws -> CutExample {
    let words = try record.texts("tokens")
    let values = try record.array("labels")
    guard words.count == values.count else {
      throw record.error("there are \(words.count) tokens and \(values.count) labels", "give one label for each token")
    }
    let (prefix, suffix) = specialTokensAround()
    var ids = prefix
    var labels = prefix.map { _ in Batch.ignoredTarget }
    for (index, (word, value)) in zip(words, values).enumerated() {
      let pieces = tokenizer.ids(index == 0 ? word : " " + word, special: false)
      guard case .class(let label) = try self.labels.orIndices.label(of: value, in: record) else {
        throw record.error("the label of a token must be a class", "name the classes")
      }
      ids += pieces
      labels += pieces.indices.map { $0 == 0 ? Int32(label) : Batch.ignoredTarget }
    }
    let wholeLength = ids.count + suffix.count
    let count = min(ids.count, max(prefix.count, (length ?? .max) - suffix.count))
    let tokenLabels = Array(labels.prefix(count)) + suffix.map { _ in Batch.ignoredTarget }
    return CutExample(encoderInput(TokenizedText(ids: ids.prefix(count) + suffix), tokenLabels: tokenLabels), wholeLength: wholeLength)
  }

  private func encoderInput(_ tokenized: TokenizedText, tokenLabels: [Int32]?) -> EncodedExample {
    EncodedExample(
      tokens: tokenized.ids,
      isScored: tokenLabels?.map { $0 != Batch.ignoredTarget } ?? tokenized.ids.map { _ in false },
      typeIDs: usesTypeIDs ? tokenized.typeIDs : nil, tokenLabels: tokenLabels)
  }

  /// Returns the tokens that the tokenizer puts before and behind a text.
  func specialTokensAround() -> (prefix: [Int32], suffix: [Int32]) {
    let plain = tokenizer.ids("a", special: false)
    let whole = tokenizer.ids("a")
    let start = whole.indices.first { whole[$0...].starts(with: plain) } ?? 0
    return (Array(whole[..<start]), Array(whole.dropFirst(start + plain.count)))
  }
}
