import GraftBatching
import GraftDatasets
import GraftJSON
import Testing

/// A look at data finds what is wrong with it, and where.
@Suite struct DataReviewTests {
  private func records(_ fields: [JSONObject], _ file: String = "d.jsonl") -> RecordList {
    RecordList(fields.enumerated().map { DataRecord($1, file: file, line: $0 + 1) })
  }

  private func pair(_ prompt: String, _ completion: JSON) -> JSONObject { ["prompt": .string(prompt), "completion": completion] }

  /// The lines of each kind of finding.
  private func lines(_ review: DataReview) -> [DataFinding.Kind: [Int?]] {
    Dictionary(review.findings.map { ($0.kind, $0.places.map(\.line)) }) { first, _ in first }
  }

  private func details(_ review: DataReview, _ kind: DataFinding.Kind) -> [String?] {
    review.findings.first { $0.kind == kind }?.places.map(\.detail) ?? []
  }

  @Test func faultsOfPromptsAndCompletions() throws {
    let long = String(repeating: "x", count: 40)
    let faulty: [JSONObject] =
      [
        pair("ab ", "cd"), pair("ab ", "cd"), pair("AB", "xy"), pair("q", ""), pair(" \n", "z"), pair("long", .string(long)), pair(long, "y"),
        pair("n", 5), pair("m", "a</s>b"), pair("caf\u{C3}\u{A9}", "k"), ["prompt": "u", "completion": "v", "extra": 1],
      ]
    let train = faulty + (12...16).map { pair("w\($0)", "r") }
    let held = [pair("ab", "CD"), pair("w12", "else"), pair("new", "one")]
    var reviewer = DataReviewer(ExampleEncoder(tokenizer: CharacterTokenizer(), task: .causalLM, maxLength: 30), shownCount: 2)
    let review = reviewer.review(train: records(train), held: records(held, "e.jsonl"))
    #expect(
      lines(review) == [
        .unusable: [8], .withoutLoss: [7], .emptyPrompt: [5], .emptyAnswer: [4], .cut: [6, 7], .endNotTrained: [6], .duplicate: [2], .conflict: [3],
        .leak: [1, 2], .specialToken: [9], .damagedText: [10], .otherKeys: [11],
      ])
    #expect(review.isRefused)
    #expect(details(review, .leak) == ["as d.jsonl:1", "the prompt of d.jsonl:12"])
    #expect(review.findings.first { $0.kind == .leak }?.places.allSatisfy { $0.isHeldOut && $0.file == "e.jsonl" } == true)
    #expect(details(review, .cut) == ["46 tokens", "43 tokens"])
    #expect(details(review, .otherKeys) == ["has \"extra\""])
    #expect(details(review, .damagedText)[0]?.contains("UTF-8 read as Latin-1") == true)
    #expect(details(review, .unusable)[0]?.hasPrefix("\"completion\" is an integer, not a string") == true)
    #expect(review.train.format == .promptCompletion && review.train.recordCount == 16 && review.train.exampleCount == 14)
    #expect(review.train.endCount == 14 && review.train.trainedEndCount == 13)
    #expect(review.train.shown.map(\.place.line) == [1, 9] && review.held?.shown.count == 2)
  }

  @Test func cleanDataHasNoFindings() {
    var reviewer = DataReviewer(ExampleEncoder(tokenizer: CharacterTokenizer(), task: .causalLM, maxLength: 30))
    let review = reviewer.review(train: records((1...12).map { pair("w\($0)", "r\($0)") }), held: records([pair("new", "one")]))
    #expect(review.findings.isEmpty && !review.isRefused)
    #expect(review.train.trainedEndCount == 12 && review.train.share(longerThan: 30) == 0)
  }

  @Test func rolesTakeTurns() throws {
    func chat(_ roles: String...) -> JSONObject {
      ["messages": .array(roles.map { ["role": .string($0), "content": .string("Hi \($0) \(roles.count)")] })]
    }
    let encoder = try chatEncoder("{% for m in messages %}{{ m.role }}:{{ m.content }}</s>{% endfor %}")
    var reviewer = DataReviewer(encoder)
    let review = reviewer.review(
      train: records([
        chat("user", "assistant"), chat("assistant", "user", "assistant"), chat("user", "user", "assistant"), chat("user", "assistant", "user"),
        chat("user", "system", "assistant", "user", "assistant"), chat("system", "user", "assistant", "tool", "assistant"),
      ]), held: RecordList())
    #expect(
      details(review, .roleOrder) == [
        "message 1, the first, is the assistant's", "messages 1 and 2 are both the user's", "the last message is the user's",
        "message 2 is the system's, which should come first",
      ])
    #expect(lines(review)[.roleOrder] == [2, 3, 4, 5] && lines(review)[.endNotTrained] == [4])
  }

  @Test func classesAreCounted() throws {
    let labels = LabelScheme(names: ["a", "b", "c"], problem: .singleLabel)
    let common: [(String, String)] = (1...20).map { ("text \($0)", "a") }
    let rows = common + [("text 21", "c"), ("text 22", "b"), ("text 23", "d")]
    let encoder = ExampleEncoder(tokenizer: CharacterTokenizer(style: .encoder), task: .sequenceClassification, labels: labels)
    var reviewer = DataReviewer(encoder)
    let review = reviewer.review(train: records(rows.map { ["text": .string($0.0), "label": .string($0.1)] }), held: RecordList())
    #expect(review.train.labelCounts.map(\.name) == ["a", "b", "c"] && review.train.labelCounts.map(\.count) == [20, 1, 1])
    #expect(review.train.majorityShare == 20.0 / 22)
    #expect(lines(review) == [.unusable: [23], .rareLabel: [22, 21], .unbalanced: [nil]])
    #expect(details(review, .unbalanced) == ["\"a\" has 20 of 22, \"c\" has 1 of 22"])
  }

  @Test func lengthsKeepShares() {
    var part = DataReview.Part()
    part.report.lengthCounts = [10: 95, 20: 4, 30: 1]
    #expect([0.5, 0.95, 0.99, 1].map(part.length(keeping:)) == [10, 10, 20, 30])
    #expect(part.share(longerThan: 10) == 0.05 && part.share(longerThan: 30) == 0)
  }

  @Test(arguments: [
    ("plain text, naïve café – “quoted”", false), ("cafÃ©", true), ("itâ€™s", true), ("20 Â°C", true), ("a\u{FFFD}b", true), ("bell\u{7}", true),
    ("line\nbreak\tand tab\r\n", false), ("Âme et Ãme", false), ("日本語, emoji 🙂", false),
  ])
  func damageIsTold(text: String, isDamaged: Bool) {
    var reviewer = DataReviewer(ExampleEncoder(tokenizer: CharacterTokenizer(), task: .causalLM))
    let review = reviewer.review(train: records([pair(text, "ok")]), held: RecordList())
    #expect((lines(review)[.damagedText] != nil) == isDamaged)
  }
}
