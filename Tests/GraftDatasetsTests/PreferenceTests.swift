import GraftBatching
import GraftDatasets
import GraftJSON
import GraftTestSupport
import Testing

@Suite struct PreferenceTests {
  private let encoder = ExampleEncoder(tokenizer: CharacterTokenizer(), task: .preference, maxLength: 12)

  private func record(_ fields: JSONObject) -> DataRecord { DataRecord(fields, file: "d.jsonl", line: 3) }
  private func text(_ example: EncodedExample?) -> String { CharacterTokenizer.text(example?.tokens ?? []) }

  @Test func aPairHasOnePromptAndTwoAnswers() throws {
    let record = record(["prompt": "ab", "chosen": "cd", "rejected": "e"])
    #expect(try encoder.format(of: record) == .preference)
    let example = try encoder.encode(record)
    #expect(example.tokens == [1] + CharacterTokenizer.ids("abcd") + [2] && example.isScored == [false, false, false, true, true, true])
    let other = try #require(example.contrast)
    #expect(other.tokens == [1] + CharacterTokenizer.ids("abe") + [2] && other.isScored == [false, false, false, true, true])
  }

  /// Each answer is cut by itself; a pair of which one answer has no token left is no pair.
  @Test func pairsAreCut() throws {
    let long = String(repeating: "x", count: 20)
    let data = try encoder.encodeDataset([
      record(["prompt": "ab", "chosen": "cd", "rejected": .string(long)]), record(["prompt": .string(long), "chosen": "c", "rejected": "d"]),
    ])
    #expect(data.examples.count == 1 && data.report.droppedCount == 1 && data.report.truncatedCount == 2)
    #expect(data.examples[0].tokens.count == 6 && data.examples[0].contrast?.tokens.count == 12)
  }

  @Test(arguments: [(true, 1), (false, 0), (1, 1), ("false", 0)] as [(JSON, Int)]) func anAnswerHasALabel(_ label: JSON, _ expected: Int) throws {
    let record = record(["prompt": "ab", "completion": "cd", "label": label])
    #expect(try encoder.format(of: record) == .unpairedPreference)
    let example = try encoder.encode(record)
    #expect(example.label == .class(expected) && example.contrast == nil && example.isScored == [false, false, false, true, true, true])
  }

  @Test func whatSaysNothingIsRefused() {
    #expect(
      complaint { _ = try encoder.encode(record(["prompt": "a", "completion": "b", "label": "good"])) }.contains("d.jsonl:3: \"label\" does not say"))
    #expect(complaint { _ = try encoder.encode(record(["prompt": "a", "chosen": "b"])) }.contains("d.jsonl:3"))
    #expect(complaint { _ = try encoder.encode(record(["text": "a"])) }.contains("not for the task 'preference'"))
  }

  private static let template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"

  /// Messages with a prompt of their own, and those whose answers begin with it.
  @Test func conversationsAreCompared() throws {
    var encoder = try chatEncoder(Self.template)
    encoder.task = .preference
    func message(_ role: String, _ content: String) -> JSON { ["role": .string(role), "content": .string(content)] }
    let (asked, good, bad) = (message("user", "q"), message("assistant", "yes"), message("assistant", "no"))
    let given = record(["prompt": .array([asked]), "chosen": .array([good]), "rejected": .array([bad])])
    let implied = record(["chosen": .array([asked, good]), "rejected": .array([asked, bad])])
    for record in [given, implied] {
      let example = try encoder.encode(record)
      #expect(example.scoredText.contains("yes") && example.contrast?.scoredText.contains("no") == true)
      #expect(!example.scoredText.contains("q") && text(example).contains("<user>q"))
    }
    let unrelated = record(["chosen": .array([good]), "rejected": .array([bad])])
    #expect(complaint { _ = try encoder.encode(unrelated) }.contains("do not begin with the same message"))
  }
}
