import GraftBatching

/// Pairs of segments for BERT's second objective: whether the second follows the first (Devlin et al. 2019, section 3.1).
extension ExampleEncoder {
  /// Pairs over all records, each of which is a document: half of the second segments follow the first in their document,
  /// half come from another one. Tokens are masked as in single texts.
  ///
  /// A document's sentences are collected until they fill `maxLength`, or it ends; a random cut makes two segments of them.
  /// The label is 0 where the second follows and 1 where it does not, as the checkpoints' heads have it.
  /// - Throws: `DatasetError` for fewer than two documents.
  func sentencePairs(_ records: [DataRecord]) throws -> [(document: Int, pair: CutExample)] {
    let documents = try records.map { Self.sentences(of: try $0.text("text")) }
    guard documents.count(where: { !$0.isEmpty }) > 1, let first = records.first else {
      throw DatasetError(
        file: records.first?.file, problem: "there is one document, and random second sentences come from another",
        advice: "give several records, or leave out next_sentence")
    }
    guard tokenizer.maskID != nil else {
      throw first.error("the tokenizer has no mask token", "use a model for masked language modelling")
    }
    let lengths = documents.map { $0.map { tokenizer.ids(" " + $0, special: false).count } }
    let room = (maxLength ?? 512) - 3
    var examples: [(document: Int, pair: CutExample)] = []
    for index in documents.indices {
      var random = CounterRandom(seed: maskingSeed, stream: 0x6E65_7874, UInt64(index))
      var start = 0
      while start < documents[index].count {
        let end = Self.end(of: lengths[index], from: start, room: room)
        let cut = start + 1 + (end - start > 1 ? random.next(below: end - start - 1) : 0)
        let isRandom = cut == end || random.next(below: 2) == 1
        let second: [String]
        if isRandom {
          let other = Self.otherDocument(than: index, in: documents, &random)
          let from = random.next(below: documents[other].count)
          let taken = lengths[index][start..<cut].reduce(0, +)
          second = Array(documents[other][from..<Self.end(of: lengths[other], from: from, room: max(1, room - taken))])
        } else {
          second = Array(documents[index][cut..<end])
        }
        let pair = tokenizer.tokenize(
          documents[index][start..<cut].joined(separator: " "), pair: second.joined(separator: " "), addingSpecialTokens: true)
        var example = try randomlyMasked(tokenizer.cut(pair, to: maxLength), record: records[index], index: examples.count)
        example.label = .class(isRandom ? 1 : 0)
        examples.append((index, CutExample(example, wholeLength: pair.ids.count)))
        // What was not used as a second segment begins the next pair.
        start = isRandom ? cut : end
      }
    }
    return examples
  }

  /// The end of the sentences from `start` on that fit into `room` tokens; at least one.
  private static func end(of lengths: [Int], from start: Int, room: Int) -> Int {
    var end = start + 1
    var total = lengths[start]
    while end < lengths.count, total + lengths[end] <= room {
      total += lengths[end]
      end += 1
    }
    return end
  }

  private static func otherDocument(than index: Int, in documents: [[String]], _ random: inout CounterRandom) -> Int {
    while true {
      let other = random.next(below: documents.count)
      if other != index, !documents[other].isEmpty { return other }
    }
  }

  /// A text's sentences: they end at a line's end, and at a full stop, question mark or exclamation mark, with what closes
  /// quotes or brackets behind it, where white space follows.
  package static func sentences(of text: String) -> [String] {
    var sentences: [String] = []
    var current = ""
    var hasEnded = false
    func finish() {
      if current.contains(where: { !$0.isWhitespace }) { sentences.append(current) }
      (current, hasEnded) = ("", false)
    }
    for character in text {
      if character.isNewline || (hasEnded && character.isWhitespace) {
        finish()
        continue
      }
      if current.isEmpty, character.isWhitespace { continue }
      current.append(character)
      hasEnded = ".!?。！？".contains(character) || (hasEnded && "\"')]”’»".contains(character))
    }
    finish()
    return sentences
  }
}
