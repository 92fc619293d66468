import GraftBatching
import GraftDatasets
import GraftJSON
import Testing

private func record(_ text: String, line: Int = 1) -> DataRecord { DataRecord(["text": .string(text)], file: "d.jsonl", line: line) }

/// Sentinels without end, and one token a character.
private struct SentinelTokenizer: TextTokenizer {
  var endOfSequenceText: String? { nil }
  var beginningOfSequenceText: String? { nil }
  var maskID: Int32? { nil }
  var vocabularySize: Int { 100_000 }
  func isSpecial(_ id: Int32) -> Bool { id == 1 || id >= 50_000 }
  func id(for token: String) -> Int32? {
    guard token.hasPrefix("<extra_id_"), let index = Int(token.dropFirst(10).dropLast()), index < 100 else { return nil }
    return Int32(50_099 - index)
  }
  func text(of id: Int32) -> String? { nil }
  func tokenize(_ text: String, pair: String?, addingSpecialTokens: Bool) -> TokenizedText {
    TokenizedText(ids: CharacterTokenizer.ids(text) + (addingSpecialTokens ? [1] : []))
  }
}

@Suite struct SpanCorruptionTests {
  private let encoder = ExampleEncoder(tokenizer: SentinelTokenizer(), task: .seq2seqLM, maskingSeed: 3)
  private let text = String(repeating: "the quick brown fox ", count: 20)

  /// Puts the spans of a target back into the places that the source has for them.
  private func restored(_ example: EncodedExample) throws -> [Int32] {
    var spans: [Int32: [Int32]] = [:]
    var sentinel: Int32 = 0
    for id in example.tokens.dropLast() {
      if id >= 50_000 { (sentinel, spans[id]) = (id, []) } else { spans[sentinel, default: []].append(id) }
    }
    return try #require(example.source).dropLast().flatMap { spans[$0] ?? [$0] }
  }

  @Test func sourceAndTargetMakeTheTextAgain() throws {
    for (index, count) in [2, 3, 5, 17, 400].enumerated() {
      let part = String(text.prefix(count))
      let example = try encoder.encode(record(part), index: index)
      #expect(try restored(example) == CharacterTokenizer.ids(part))
      #expect(example.source?.last == 1 && example.tokens.last == 1)
      #expect(example.isScored.allSatisfy { $0 })
      // The sentinels are in order on both sides, and the target has one more at its end.
      let inSource = (example.source ?? []).filter { $0 >= 50_000 }
      let inTarget = example.tokens.filter { $0 >= 50_000 }
      #expect(inTarget == (0...inSource.count).map { Int32(50_099 - $0) })
      #expect(inTarget.dropLast() == inSource[...])
    }
  }

  /// A share that is no whole number of tokens is rounded to the nearest, whatever the length of the text.
  @Test func sharesAreRoundedToTheNearest() {
    var random = CounterRandom(seed: 5)
    for count in 2...300 {
      let spans = TextCorruption(rate: 0.15).spans(of: count, limit: .max, &random)
      let taken = spans.reduce(0) { $0 + $1.count }
      #expect(abs(100 * taken - 15 * count) <= 50 || taken == 1, "\(taken) of \(count)")
    }
  }

  @Test func asMuchIsTakenOutAsAskedFor() throws {
    for (rate, mean, taken, spans) in [(0.15, 3.0, 60, 20), (0.5, 10, 200, 20), (0.15, 1, 60, 60), (0.9, 5, 360, 41)] {
      var encoder = encoder
      encoder.corruption = TextCorruption(rate: rate, meanSpanLength: mean)
      let example = try encoder.encode(record(text))
      let sentinels = example.tokens.count { $0 >= 50_000 } - 1
      #expect(example.tokens.count - sentinels - 2 == taken)
      #expect(sentinels == spans)
    }
  }

  /// Every place is as likely to be taken out as any other, but for those near the ends, over which no span reaches.
  @Test func spansStandAnywhere() {
    var counts = Array(repeating: 0, count: 100)
    for index in 0..<4000 {
      var random = CounterRandom(seed: 1, stream: UInt64(index))
      let spans = TextCorruption().spans(of: 100, limit: 99, &random)
      #expect(spans.reduce(0) { $0 + $1.count } == 15 && spans.count == 5)
      #expect(zip(spans, spans.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound })
      for place in spans.joined() { counts[place] += 1 }
    }
    #expect(counts[20..<80].allSatisfy { (480...720).contains($0) })
    // A span covers the first token where there is no gap before it, of 86 places for 5 spans.
    for count in [counts[0], counts[99]] { #expect((170...300).contains(count)) }
  }

  @Test func theSeedAndThePlaceDecide() throws {
    let example = try encoder.encode(record(text), index: 4)
    #expect(try encoder.encode(record(text), index: 4) == example)
    #expect(try encoder.encode(record(text), index: 5) != example)
    var other = encoder
    other.maskingSeed = 4
    #expect(try other.encode(record(text), index: 4) != example)
  }

  /// A later epoch takes other spans out of the same text, as many of them.
  @Test func everyEpochHasItsOwnSpans() throws {
    let first = try encoder.encode(record(text))
    let later = encoder.example(first, of: .text, index: 0, epoch: 1)
    #expect(encoder.example(first, of: .text, index: 0, epoch: 0) == first)
    #expect(later != first && later == encoder.example(first, of: .text, index: 0, epoch: 1))
    #expect(later != encoder.example(first, of: .text, index: 0, epoch: 2) && later != encoder.example(first, of: .text, index: 1, epoch: 1))
    #expect(try restored(later) == CharacterTokenizer.ids(text))
    #expect(later.tokens.count == first.tokens.count && later.source?.count == first.source?.count)
  }

  @Test func longTextsAreCutIntoWindows() throws {
    var encoder = encoder
    encoder.maxLength = 65
    let data = try encoder.encodeDataset([record(text), record("x")])
    #expect(data.examples.count == 7)
    #expect(data.examples.allSatisfy { $0.packedLength <= 65 })
    #expect(try data.examples.flatMap(restored) == CharacterTokenizer.ids(text))
    #expect(data.report.cutTextCount == 1 && data.report.droppedCount == 1)
  }

  @Test func aTokenizerWithoutSentinelsIsRefused() {
    let encoder = ExampleEncoder(tokenizer: CharacterTokenizer(), task: .seq2seqLM)
    let error = #expect(throws: DatasetError.self) { try encoder.encode(record("abc")) }
    #expect(error?.description.contains("the tokenizer has no sentinels <extra_id_0>") == true)
  }
}

@Suite struct NextSentenceTests {
  private func encoder(maxLength: Int) -> ExampleEncoder {
    ExampleEncoder(
      tokenizer: CharacterTokenizer(style: .encoder), task: .maskedLM, maxLength: maxLength, usesTypeIDs: true, maskingSeed: 2,
      pairsSentences: true)
  }

  /// Documents of twelve sentences, whose letters tell the document and whose lengths tell the place.
  private let records = (0..<20).map { document in
    let letter = String(UnicodeScalar(UInt8(97 + document)))
    return record((1...12).map { String(repeating: letter, count: $0) + "." }.joined(separator: " "), line: document + 1)
  }

  /// The segments of a pair with what was masked put back.
  private func segments(_ example: EncodedExample) -> (first: String, second: String) {
    let ids = zip(example.tokens, example.tokenLabels ?? []).map { $1 == Batch.ignoredTarget ? $0 : $1 }
    func text(_ type: Int32) -> String {
      let own = zip(ids, example.typeIDs ?? []).filter { $1 == type && $0 >= 10 }
      return String(own.compactMap { UnicodeScalar(UInt32($0.0 - 10)).map(Character.init) })
    }
    return (text(0), text(1))
  }

  @Test func halfOfThePairsFollowEachOther() throws {
    let examples = try encoder(maxLength: 40).encodeDataset(records).examples
    #expect(examples.count > 60)
    var following = 0
    for example in examples {
      #expect(example.tokens.count <= 40 && example.typeIDs?.last == 1)
      let (first, second) = segments(example)
      let source = records.compactMap { $0.fields["text"]?.string }
      let isTogether = source.contains { $0.contains("\(first) \(second)") }
      #expect(example.label == .class(isTogether ? 0 : 1))
      #expect(first.first == second.first || !isTogether)
      following += isTogether ? 1 : 0
    }
    let share = Double(following) / Double(examples.count)
    #expect((0.3...0.6).contains(share))
    #expect(try encoder(maxLength: 40).encodeDataset(records).examples == examples)
  }

  @Test func tokensAreMaskedAsInSingleTexts() throws {
    let examples = try encoder(maxLength: 60).encodeDataset(records).examples
    let ordinary = examples.reduce(0) { $0 + $1.tokens.count - 3 }
    let masked = examples.reduce(0) { $0 + $1.isScored.count { $0 } }
    #expect((0.12...0.18).contains(Double(masked) / Double(ordinary)))
  }

  /// A later epoch masks other tokens of the same pair.
  @Test func everyEpochHasItsOwnMasks() throws {
    let encoder = encoder(maxLength: 60)
    let first = try encoder.encodeDataset(records).examples[3]
    let later = encoder.example(first, of: .text, index: 3, epoch: 1)
    #expect(later.tokenLabels != first.tokenLabels && later.label == first.label && later.typeIDs == first.typeIDs)
    #expect(segments(later) == segments(first))
    #expect(later.isScored == later.tokenLabels?.map { $0 != Batch.ignoredTarget })
    // Masks that came with the data stay.
    #expect(encoder.example(first, of: .masked, index: 3, epoch: 1) == first)
  }

  @Test func sentencesEndWhereTheyEnd() {
    #expect(
      ExampleEncoder.sentences(of: "He said, \"Go!\" Then 3.5 men left...\nWhy? (No one knows.) End")
        == ["He said, \"Go!\"", "Then 3.5 men left...", "Why?", "(No one knows.)", "End"])
    #expect(ExampleEncoder.sentences(of: " \n ") == [])
  }

  @Test func oneDocumentIsNotEnough() {
    let error = #expect(throws: DatasetError.self) { try encoder(maxLength: 40).encodeDataset([records[0]]) }
    #expect(error?.description.contains("there is one document") == true)
  }
}
