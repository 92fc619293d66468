import GraftBatching
import GraftDatasets
import GraftJSON
import Testing

private let template =
  "{% for m in messages %}<s>{{ m.role }}:{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<s>assistant:{% endif %}"

@Suite struct RecordLayoutTests {
  private func encoded(
    _ fields: JSONObject, columns: [String: String] = [:], roles: [String: String] = [:], _ notes: DataNotes = DataNotes(),
    template: String = template
  ) throws -> EncodedExample {
    let records = try RecordLayout(columns: columns).applied(to: [DataRecord(fields, file: "d.jsonl", line: 2)], notes)
    return try chatEncoder(template, notes: notes, roles: roles).encode(records[0])
  }

  private func text(_ example: EncodedExample) -> String { CharacterTokenizer.text(example.tokens) }

  private let chat = "<s>user:Hi</s><s>assistant:Hello!</s>"

  @Test(
    arguments: [
      ["conversations": [["from": "human", "value": "Hi"], ["from": "gpt", "value": "Hello!"]]],
      ["conversations": [["role": "user", "content": "Hi"], ["role": "assistant", "content": "Hello!"]]],
      ["conversations": #"[{"from": "Human", "value": "Hi"}, {"from": "model", "value": "Hello!"}]"#],
      ["prompt": [["role": "user", "content": "Hi"]], "completion": [["role": "assistant", "content": "Hello!"]]],
      [
        "messages": [
          ["role": "user", "content": [["type": "text", "text": "Hi"]]],
          ["role": "assistant", "content": [["type": "text", "text": "Hello"], "!"]],
        ]
      ],
    ] as [JSONObject])
  func conversationsInEveryLayout(fields: JSONObject) throws {
    let notes = DataNotes()
    let example = try encoded(fields, notes)
    #expect(text(example) == chat)
    #expect(example.scoredText == "Hello!</s>")
    #expect(!notes.all.isEmpty)
  }

  @Test func everythingThatWasToldIsSaidOnce() throws {
    let notes = DataNotes()
    let fields: JSONObject = ["conversations": [["from": "human", "value": "Hi"], ["from": "gpt", "value": "Hello!"]], "system": "S"]
    for _ in 1...3 { #expect(text(try encoded(fields, notes)) == "<s>system:S</s>" + chat) }
    #expect(
      notes.all == [
        "d.jsonl: \"conversations\" are read as messages; the role \"human\" is read as \"user\"; the role \"gpt\" is read as \"assistant\""
      ])
  }

  @Test func theAnswersOfAPromptCarryNoLoss() throws {
    let example = try encoded([
      "prompt": [["role": "user", "content": "a"], ["role": "assistant", "content": "b"], ["role": "user", "content": "c"]],
      "completion": [["role": "assistant", "content": "d"]],
    ])
    #expect(example.scoredText == "d</s>")
    #expect { try encoded(["prompt": [["role": "user", "content": "a"]], "completion": "d"]) } throws: { "\($0)".contains("the other is not") }
  }

  @Test func mapsNameColumnsAndRoles() throws {
    let example = try encoded(["question": "2+2?", "answer": "4"], columns: ["prompt": "question", "completion": "answer"])
    #expect(text(example) == "<s>2+2?4</s>" && example.scoredText == "4</s>")
    let swapped = try encoded(["prompt": "P", "completion": "C"], columns: ["prompt": "completion", "completion": "prompt"])
    #expect(swapped.scoredText == "P</s>")
    let roles = ["narrator": "user", "hero": "assistant"]
    let named = try encoded(
      ["story": [["role": "narrator", "content": "Hi"], ["role": "hero", "content": "Hello!"]]], columns: ["messages": "story"], roles: roles)
    #expect(text(named) == chat && named.scoredText == "Hello!</s>")
    #expect { try encoded(["question": "q", "anser": "a"], columns: ["prompt": "question", "completion": "answer"]) } throws: {
      "\($0)" == #"d.jsonl:2: the record has no "answer", which data.columns names for "completion"; did you mean "anser"?"#
    }
  }

  @Test(
    arguments: [
      (["question": "2+2?", "answer": "4"], "<s>2+2?4</s>"), (["input": "2+2?", "output": "4"], "<s>2+2?4</s>"),
      (["prompt": "2+2?", "response": "4"], "<s>2+2?4</s>"),
    ] as [(JSONObject, String)])
  func pairsByOtherNamesAreTold(fields: JSONObject, expected: String) throws {
    let notes = DataNotes()
    let example = try encoded(fields, notes)
    #expect(text(example) == expected && example.scoredText == "4</s>")
    #expect(notes.all.count == 1 && notes.all[0].hasSuffix("data.columns can say otherwise"))
  }

  @Test func anInstructionWithAResponseIsAlpaca() throws {
    let example = try encoded(["instruction": "Add", "context": "1 2", "response": "3"])
    #expect(example == (try encoded(["instruction": "Add", "input": "1 2", "output": "3"])))
  }

  @Test func partsStayPartsForTemplatesThatReadThem() throws {
    let reading = template.replacing(
      "{{ m.content }}", with: "{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}{{ p.text }}/{% endfor %}{% endif %}")
    let fields: JSONObject = [
      "messages": [
        ["role": "user", "content": "Hi"], ["role": "assistant", "content": [["type": "text", "text": "a"], ["type": "text", "text": "b"]]],
      ]
    ]
    #expect(try encoded(fields, template: reading).scoredText == "ab</s>")
    let same = reading.replacing("{{ p.text }}/", with: "{{ p.text|trim }}")
    var spaced = fields
    spaced["messages"] = [
      ["role": "user", "content": "Hi"], ["role": "assistant", "content": [["type": "text", "text": " a "], ["type": "text", "text": "b"]]],
    ]
    #expect(try encoded(spaced, template: same).scoredText == "ab</s>")
  }

  @Test func callsOfShareGPTAreCalls() throws {
    let calling = template.replacing(
      "{{ m.content }}", with: "{% for c in m.tool_calls or [] %}[{{ c.function.name }} {{ c.function.arguments.x }}]{% endfor %}{{ m.content }}")
    let fields: JSONObject = [
      "conversations": [
        ["from": "human", "value": "Hi"], ["from": "function_call", "value": #"{"name": "f", "arguments": {"x": 1}}"#],
        ["from": "observation", "value": "7"], ["from": "gpt", "value": "Seven"],
      ]
    ]
    let example = try encoded(fields, template: calling)
    #expect(text(example) == "<s>user:Hi</s><s>assistant:[f 1]</s><s>tool:7</s><s>assistant:Seven</s>")
    #expect(example.scoredText == "[f 1]</s>|Seven</s>")
  }
}

@Suite struct RepeatedTokenTests {
  private let notes = DataNotes()

  private func tokens(_ fields: JSONObject, _ task: LearningTask = .causalLM, style: CharacterTokenizer.Style = .decoder) throws -> String {
    let encoder = ExampleEncoder(
      tokenizer: CharacterTokenizer(style: style), task: task, labels: task == .sequenceClassification ? LabelScheme(names: ["a"]) : nil, notes: notes
    )
    let example = try encoder.encode(DataRecord(fields, file: "d", line: 1))
    return CharacterTokenizer.text(example.tokens) + (example.source.map { " < " + CharacterTokenizer.text($0) } ?? "")
  }

  @Test func whatATextHasAlreadyIsNotAddedAgain() throws {
    #expect(try tokens(["text": "<s>a</s>"]) == "<s>a</s>")
    #expect(try tokens(["prompt": "<s>a", "completion": "b</s>"]) == "<s>ab</s>")
    #expect(try tokens(["source": "<s>a", "target": "<s>b"], .seq2seqLM) == "<s>b < <s>a")
    #expect(try tokens(["text": "<s>a[SEP]", "label": "a"], .sequenceClassification, style: .encoder) == "<s>a[SEP]")
    #expect(try tokens(["text": "<s>a[SEP]", "text_pair": "b[SEP]", "label": "a"], .sequenceClassification, style: .encoder) == "<s>a[SEP]b[SEP]")
    #expect(notes.all.count == 3)
    #expect(notes.all.contains("texts end with \"</s>\" already, which is not added again"))
  }

  @Test func tokensInTheMiddleStay() throws {
    #expect(try tokens(["text": "a<s>b</s>c"]) == "<s>a<s>b</s>c</s>")
    #expect(notes.all.isEmpty)
  }

  @Test func aTemplateAddsNoSecondEndEither() throws {
    let notes = DataNotes()
    let encoder = try chatEncoder(template.replacing("<s>{{ m.role }}:", with: "{% if loop.first %}<s>{% endif %}"), notes: notes)
    let record = DataRecord(["messages": [["role": "user", "content": "<s>Hi"], ["role": "assistant", "content": "A</s>"]]], file: "d", line: 1)
    #expect(CharacterTokenizer.text(try encoder.encode(record).tokens) == "<s>Hi</s>A</s>")
    #expect(notes.all.count == 1)
    #expect(notes.all[0].contains("conversations begin with") && notes.all[0].contains("messages end with"))
  }
}

@Suite struct MixtureTests {
  @Test func weightsAreTimesAnEpoch() {
    let files = Array(repeating: "a", count: 10) + Array(repeating: "b", count: 4) + ["c"]
    let mixture = Mixture(weights: ["a": 0.5, "b": 2, "c": 1])
    let drawn = mixture.indices(of: files, seed: 7)
    func count(_ file: String) -> Int { drawn.count { files[$0] == file } }
    #expect(count("a") == 5 && count("b") == 8 && count("c") == 1)
    #expect(Set(drawn.filter { $0 < 10 }).count == 5)
    #expect((10..<14).allSatisfy { index in drawn.count { $0 == index } == 2 })
    #expect(mixture.indices(of: files, seed: 7) == drawn)
    #expect((0..<20).contains { mixture.indices(of: files, seed: UInt64($0)) != drawn })
  }

  @Test func fractionsFillUpAndNothingVanishes() {
    let files = Array(repeating: "a", count: 4) + ["b"]
    let drawn = Mixture(weights: ["a": 2.5, "b": 0.01]).indices(of: files, seed: 0)
    #expect(drawn.count == 11)
    #expect((0..<4).map { index in drawn.count { $0 == index } }.sorted() == [2, 2, 3, 3])
    #expect(Mixture(weights: [:]).indices(of: files, seed: 0) == [0, 1, 2, 3, 4])
  }
}
