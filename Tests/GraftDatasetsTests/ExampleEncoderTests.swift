import GraftBatching
import GraftDatasets
import GraftJSON
import Testing

private func ids(_ text: String) -> [Int32] { CharacterTokenizer.ids(text) }
private func record(_ fields: JSONObject, line: Int = 1) -> DataRecord {
  DataRecord(fields, file: "d.jsonl", line: line)
}

private func flags(_ example: EncodedExample) -> String { example.isScored.map { $0 ? "1" : "0" }.joined() }

@Suite struct ExampleEncoderTests {
  let causal = ExampleEncoder(tokenizer: CharacterTokenizer(), task: .causalLM)

  private func message(_ encoder: ExampleEncoder, _ fields: JSONObject...) -> String {
    do {
      _ = try encoder.encodeDataset(fields.enumerated().map { record($1, line: $0 + 1) })
      return "no error"
    } catch { return "\(error)" }
  }

  @Test func aTextEndsWithTheEndOfSequence() throws {
    let example = try causal.encode(record(["text": "ab"]))
    #expect(example.tokens == [1] + ids("ab") + [2])
    #expect(flags(example) == "0111")
  }

  @Test func aCompletionAndItsEndCarryTheLoss() throws {
    let example = try causal.encode(record(["prompt": "ab", "completion": "cd"]))
    #expect(example.tokens == [1] + ids("abcd") + [2])
    #expect(flags(example) == "000111")
    var whole = causal
    whole.completionOnlyLoss = false
    #expect(flags(try whole.encode(record(["prompt": "ab", "completion": "cd"]))) == "011111")
  }

  @Test func aTokenAcrossTheBoundaryBelongsToTheCompletion() throws {
    let example = try causal.encode(record(["prompt": "af", "completion": "ix"]))
    #expect(example.tokens == [1] + ids("a") + [9] + ids("x") + [2])
    #expect(flags(example) == "00111")
  }

  @Test func alpacaHasAPromptWithAndWithoutInput() throws {
    let without = try causal.encode(record(["instruction": "Add", "input": "", "output": "3"]))
    let with = try causal.encode(record(["instruction": "Add", "input": "1 2", "output": "3"]))
    #expect(without.tokens.suffix(14) == ids("# Response:\n") + ids("3") + [2])
    #expect(with.tokens.count > without.tokens.count)
    #expect(flags(with).hasSuffix("011") && !flags(with).contains("10"))
  }

  /// A token that sees itself carries no loss, whatever else is asked for.
  @Test func aPromptThatSeesItselfIsNeverScored() throws {
    var encoder = causal
    (encoder.marksPrompts, encoder.completionOnlyLoss) = (true, false)
    let example = try encoder.encode(record(["prompt": "abc", "completion": "de"]))
    #expect(example.promptLength == 4)
    #expect(flags(example) == "0000111")
  }

  @Test func prefixLanguageModelsLearnWherePromptsEnd() throws {
    var prefix = causal
    prefix.marksPrompts = true
    #expect(try prefix.encode(record(["prompt": "ab", "completion": "cd"])).promptLength == 3)
  }

  @Test func formatsAreToldFromKeysAndMustFitTheTask() {
    #expect(message(causal, ["a": 1]).hasPrefix("d.jsonl:1: the keys \"a\" are of no known format"))
    #expect(message(causal, ["text": "a", "label": "x"]).contains("'classification' are not for the task 'causal_lm'"))
    #expect(
      message(causal, ["text": "a"], ["prompt": "a", "completion": "b"]).hasPrefix(
        "d.jsonl:2: the record has no \"text\", only \"prompt\""))
    #expect(message(causal, ["text": "a"], ["text": 3]).hasPrefix("d.jsonl:2: \"text\" is an integer, not a string"))
    #expect(message(causal, ["prompt": "a"]).contains("a prompt alone has nothing to learn"))
  }

  @Test func longExamplesAreCutAndEmptiedOnesDropped() throws {
    var encoder = causal
    encoder.maxLength = 4
    let dataset = try encoder.encodeDataset([
      record(["prompt": "a", "completion": "b"]), record(["prompt": "a", "completion": "bcd"]),
      record(["prompt": "abcd", "completion": "e"]),
    ])
    #expect(dataset.examples.map(\.tokens) == [[1] + ids("ab") + [2], [1] + ids("abc")])
    #expect(dataset.report.truncatedCount == 2 && dataset.report.droppedCount == 1 && dataset.report.recordCount == 3)
    #expect(dataset.report.tokenCount == 8 && dataset.report.scoredTokenCount == 4)
    #expect(dataset.report.lengthCounts == [4: 1, 6: 1, 7: 1] && dataset.report.longest == 7 && dataset.report.length(atQuantile: 0.5) == 6)
    #expect(
      message(encoder, ["prompt": "abcd", "completion": "e"]).contains(
        "none of 1 examples has a token to learn from within 4 tokens"))
  }

  @Test func manyRecordsKeepTheirOrderAndTheFirstErrorIsReported() throws {
    var records = (0..<1000).map { record(["text": .string("\($0)")], line: $0 + 1) }
    let dataset = try causal.encodeDataset(records)
    #expect(try dataset.examples == records.map { try causal.encode($0) })
    for broken in [700, 300, 900] { records[broken].fields = ["text": 1] }
    #expect { try causal.encodeDataset(records) } throws: { ($0 as? DatasetError)?.line == 301 }
  }

  @Test func documentsAndPackedTextsAreCutIntoWindows() throws {
    var encoder = causal
    encoder.maxLength = 4
    let document = DataRecord(["text": "abcdefghi"], file: "d.txt", line: 1, isDocument: true)
    let windows = try encoder.encodeDataset([document])
    #expect(windows.examples.map(\.tokens) == [[1] + ids("abc"), ids("defg"), ids("hi") + [2]])
    #expect(windows.examples.map(flags) == ["0111", "0111", "011"])
    #expect(windows.report.cutTextCount == 1 && windows.report.truncatedCount == 0)
    #expect(try encoder.encodeDataset([record(["text": "abcdefghi"])]).examples.count == 1)
    encoder.cutsTextsIntoWindows = true
    #expect(try encoder.encodeDataset([record(["text": "abcdefghi"])]).examples == windows.examples)
  }

  @Test func sequenceToSequenceScoresTheWholeTarget() throws {
    let encoder = ExampleEncoder(tokenizer: CharacterTokenizer(style: .encoder), task: .seq2seqLM, maxLength: 4)
    let example = try encoder.encodeDataset([record(["source": "abcdef", "target": "xy"])]).examples[0]
    #expect(example.source == [1] + ids("ab") + [4])
    #expect(example.tokens == [1] + ids("xy") + [4] && flags(example) == "1111")
  }
}

@Suite struct EncoderInputTests {
  let tokenizer = CharacterTokenizer(style: .encoder)

  @Test func maskedWordsAreLabels() throws {
    let encoder = ExampleEncoder(tokenizer: tokenizer, task: .maskedLM)
    let example = try encoder.encode(record(["text": "a[MASK]c", "labels": ["b"]]))
    #expect(example.tokens == [1] + ids("a") + [3] + ids("c") + [4])
    #expect(example.tokenLabels == [-100, -100, ids("b")[0], -100, -100])
    #expect(flags(example) == "00100")
    #expect(throws: DatasetError.self) { try encoder.encode(record(["text": "a[MASK]", "labels": ["b", "c"]])) }
    #expect(throws: DatasetError.self) { try encoder.encode(record(["text": "a[MASK]", "labels": ["bc"]])) }
  }

  @Test func textsWithoutMasksAreMaskedAtRandom() throws {
    let encoder = ExampleEncoder(tokenizer: tokenizer, task: .maskedLM)
    let text = record(["text": .string(String(repeating: "abcdefghij", count: 100))])
    let example = try encoder.encode(text, index: 3)
    let labels = try #require(example.tokenLabels)
    let chosen = labels.indices.filter { labels[$0] != -100 }
    #expect((110...190).contains(chosen.count))
    let masked = chosen.filter { example.tokens[$0] == 3 }.count
    #expect((0.7...0.9).contains(Double(masked) / Double(chosen.count)))
    #expect(example.tokens.first == 1 && example.tokens.last == 4)
    #expect(try encoder.encode(text, index: 3) == example)
    #expect(try encoder.encode(text, index: 4) != example)
  }

  @Test func pairsHaveSegmentsAndKeepTheirSeparatorsWhenCut() throws {
    let encoder = ExampleEncoder(
      tokenizer: tokenizer, task: .sequenceClassification, maxLength: 7, labels: LabelScheme(names: ["bad", "good"]),
      usesTypeIDs: true)
    let example = try encoder.encodeDataset([record(["text": "abcdef", "text_pair": "xy", "label": "good"])]).examples[
      0]
    #expect(example.tokens == [1] + ids("ab") + [4] + ids("xy") + [4])
    #expect(example.typeIDs == [0, 0, 0, 0, 1, 1, 1])
    #expect(example.label == .class(1))
  }

  /// A text of a thousand words is as hidden as a short one, once it is cut.
  @Test func textsAreCutBeforeTheyAreMasked() throws {
    var encoder = ExampleEncoder(tokenizer: tokenizer, task: .maskedLM, maxLength: 64)
    let long = record(["text": .string(String(repeating: "abcdefghij", count: 100))])
    let dataset = try encoder.encodeDataset(Array(repeating: long, count: 50))
    #expect(dataset.examples.allSatisfy { $0.tokens.count == 64 && $0.tokens.first == 1 && $0.tokens.last == 4 })
    let masks = dataset.report.scoredTokenCount
    #expect((300...640).contains(masks), "\(masks) of 3100 tokens")
    // The cut changes nothing for what stays.
    encoder.maxLength = nil
    let whole = try encoder.encode(long, index: 7)
    #expect(Array(whole.tokens.prefix(63)) == Array(dataset.examples[7].tokens.prefix(63)))
    #expect(dataset.report.truncatedCount == 50 && dataset.report.lengthCounts == [1002: 50])
  }

  @Test func masksBeyondTheCutAreLostAndCounted() throws {
    let encoder = ExampleEncoder(tokenizer: tokenizer, task: .maskedLM, maxLength: 6)
    let dataset = try encoder.encodeDataset([
      record(["text": "a[MASK]cdef[MASK]", "labels": ["b", "g"]]), record(["text": "abcdef[MASK]", "labels": ["g"]]),
      record(["text": "ab[MASK]", "labels": ["c"]]),
    ])
    let first = [1] + ids("a") + [3] + ids("cd") + [4]
    let second = [1] + ids("ab") + [3, 4]
    #expect(dataset.examples.map(\.tokens) == [first, second])
    #expect(dataset.examples[0].tokenLabels == [-100, -100, ids("b")[0], -100, -100, -100])
    #expect(dataset.report.lostMaskCount == 2 && dataset.report.droppedCount == 1)
  }

  @Test func aTokenizerMayKeepTheEndsOfTexts() throws {
    var left = tokenizer
    left.truncatesLeft = true
    let encoder = ExampleEncoder(tokenizer: left, task: .maskedLM, maxLength: 5)
    let dataset = try encoder.encodeDataset([record(["text": "[MASK]bcd[MASK]f", "labels": ["a", "e"]])])
    let expected = [1] + ids("d") + [3] + ids("f") + [4]
    #expect(dataset.examples[0].tokens == expected)
    #expect(dataset.examples[0].tokenLabels == [-100, -100, ids("e")[0], -100, -100])
  }

  /// A separator that stands in a text is as ordinary as the rest of it.
  @Test func specialTokensWithinATextAreCutWithIt() throws {
    let encoder = ExampleEncoder(tokenizer: tokenizer, task: .sequenceClassification, maxLength: 5, labels: LabelScheme(names: ["bad", "good"]))
    let example = try encoder.encodeDataset([record(["text": "ab[MASK]de[MASK]", "label": 0])]).examples[0]
    let expected = [1] + ids("ab") + [3, 4]
    #expect(example.tokens == expected)
  }

  @Test func labelsAreNamesIndicesOrNumbers() throws {
    var encoder = ExampleEncoder(
      tokenizer: tokenizer, task: .sequenceClassification, labels: LabelScheme(names: ["bad", "good"]))
    #expect(try encoder.encode(record(["text": "a", "label": 1])).label == .class(1))
    #expect(throws: DatasetError.self) { try encoder.encode(record(["text": "a", "label": "ugly"])) }
    #expect(throws: DatasetError.self) { try encoder.encode(record(["text": "a", "label": 2])) }
    encoder.labels = .regression
    #expect(try encoder.encode(record(["text": "a", "label": "1.5"])).label == .value(1.5))
  }

  @Test func wordsCarryTheirLabelsOnTheirFirstTokens() throws {
    let encoder = ExampleEncoder(
      tokenizer: tokenizer, task: .tokenClassification, labels: LabelScheme(names: ["O", "B"]))
    let example = try encoder.encode(record(["tokens": ["ab", "c"], "labels": ["B", "O"]]))
    #expect(example.tokens == [1] + ids("ab c") + [4])
    #expect(example.tokenLabels == [-100, 1, -100, 0, -100, -100])
  }
}
