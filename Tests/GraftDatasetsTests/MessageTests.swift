import GraftBatching
import GraftDatasets
import GraftJSON
import Testing

private let template =
  "{% if tools %}<s>tools:{% for t in tools %}{{ t.function.name }},{% endfor %}{% endif %}{% for m in messages %}<s>{{ m.role }}:"
  + "{% if m.tool_calls %}{% for c in m.tool_calls %}[{{ c.function.name }} {{ c.function.arguments|tojson }}]{% endfor %}{% endif %}{{ m.content or '' }}</s>"
  + "{% endfor %}{% if add_generation_prompt %}<s>assistant:{% endif %}"

@Suite struct MessageTests {
  private func text(_ fields: JSONObject, _ template: String = template, notes: DataNotes = DataNotes()) throws -> String {
    let example = try chatEncoder(template, notes: notes).encode(DataRecord(fields, file: "d.jsonl", line: 4))
    return CharacterTokenizer.text(example.tokens)
  }

  private func problem(_ fields: JSONObject) -> String {
    do { return "read as " + (try text(fields)) } catch { return "\(error)" }
  }

  // MARK: Tools

  private let messages: JSON = [["role": "user", "content": "Q"], ["role": "assistant", "content": "A"]]

  @Test(
    arguments: [
      [["type": "function", "function": ["name": "f"]]], ["type": "function", "function": ["name": "f"]],
      #"[{"type": "function", "function": {"name": "f"}}]"#, #"{"type": "function", "function": {"name": "f"}}"#,
      [#"{"type": "function", "function": {"name": "f"}}"#],
    ] as [JSON])
  func toolsAreReadInEveryForm(tools: JSON) throws {
    #expect(try text(["messages": messages, "tools": tools]) == "<s>tools:f,<s>user:Q</s><s>assistant:A</s>")
  }

  @Test(arguments: ["", .null, "[]"] as [JSON])
  func noToolsAreNone(tools: JSON) {
    #expect(problem(["messages": messages, "tools": tools]).hasPrefix("read as <s>user"))
  }

  @Test(arguments: ["no json", 7, [7], ["x"], true] as [JSON])
  func whatIsNoToolIsRefused(tools: JSON) {
    #expect(problem(["messages": messages, "tools": tools]).hasPrefix("d.jsonl:4: \"tools\": expected a list of objects"))
  }

  @Test(
    arguments: [
      [["type": "function", "function": ["name": "f", "arguments": ["x": 1]]]],
      [["type": "function", "function": ["name": "f", "arguments": #"{"x": 1}"#]]],
      #"[{"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}]"#,
      [#"{"function": {"name": "f", "arguments": "{\"x\": 1}"}}"#], ["function": ["name": "f", "arguments": ["x": 1]]],
      [["name": "f", "arguments": ["x": 1]]],
    ] as [JSON])
  func callsAreReadInEveryForm(calls: JSON) throws {
    let asked: JSON = ["role": "user", "content": "Q"]
    #expect(
      try text(["messages": [asked, ["role": "assistant", "content": "", "tool_calls": calls]]]) == "<s>user:Q</s><s>assistant:[f {\"x\": 1}]</s>")
  }

  @Test func oldCallsAreReadAsCalls() throws {
    let notes = DataNotes()
    let call: JSON = ["role": "assistant", "content": .null, "function_call": ["name": "f", "arguments": "{}"]]
    #expect(try text(["messages": [["role": "user", "content": "Q"], call]], notes: notes) == "<s>user:Q</s><s>assistant:[f {}]</s>")
    #expect(notes.all == ["d.jsonl: \"function_call\" is read as \"tool_calls\""])
  }

  @Test func argumentsStayTextForTemplatesThatJoinThem() throws {
    let joining =
      "{% for m in messages %}{{ m.content or '' }}{% for c in m.tool_calls or [] %}{{ '[' + c.function.arguments + ']' }}{% endfor %}{% endfor %}"
    let call: JSON = ["role": "assistant", "tool_calls": [["function": ["name": "f", "arguments": #"{"x":1}"#]]]]
    #expect(try text(["messages": [["role": "user", "content": "Q"], call]], joining) == #"Q[{"x":1}]"#)
  }

  @Test func valuesOfWrongTypesAreNamed() {
    let user: JSON = ["role": "user", "content": "Q"]
    for (message, expected) in [
      (["role": 7, "content": "A"], "message 2: the role is an integer, not a string"),
      (["role": "assistant", "content": 7], "message 2: \"content\" is an integer, not a string"),
      (["role": "assistant"], "message 2: there is no \"content\""), ("A", "message 2: expected an object, found a string"),
      (["role": "assistant", "content": [["type": "image_url"]]], "message 2: part 1 of \"content\" is of the type \"image_url\", not a text"),
      (["role": "assistant", "tool_calls": 7], "message 2: \"tool_calls\": expected a list of objects, found an integer"),
      (
        ["role": "assistant", "tool_calls": [["function": ["name": "f", "arguments": "x"]]]], "message 2: call 1: \"arguments\" is a text that is not"
      ),
      (["role": "assistant", "content": "A", "weight": -1], "message 2: \"weight\" is -1.0"),
      (["role": "assistant", "content": "A", "weight": "1"], "message 2: \"weight\" is a string"),
      (["role": "assistant", "content": "A", "train": 0], "message 2: \"train\" is an integer"),
    ] as [(JSON, String)] {
      #expect(problem(["messages": [user, message]]).hasPrefix("d.jsonl:4: " + expected))
    }
    #expect(problem(["messages": messages, "system": 7]).hasPrefix("d.jsonl:4: \"system\" is an integer"))
  }

  // MARK: Weights

  @Test func weightsScaleTheLossOfTheirMessages() throws {
    let encoder = try chatEncoder(template)
    func example(_ first: JSON, _ second: JSON) throws -> EncodedExample {
      var (a, b): (JSON, JSON) = (["role": "assistant", "content": "bad"], ["role": "assistant", "content": "good"])
      for (key, value) in first.object ?? [:] { a[key] = value }
      for (key, value) in second.object ?? [:] { b[key] = value }
      return try encoder.encode(
        DataRecord(["messages": [["role": "user", "content": "Q"], a, ["role": "user", "content": "R"], b]], file: "d", line: 1))
    }
    for none in [["weight": 0], ["train": false], ["train": false, "weight": 2]] as [JSON] {
      let silenced = try example(none, ["weight": 1])
      #expect(silenced.scoredText == "good</s>")
      #expect(silenced.lossWeights == nil)
    }
    let weighted = try example(["weight": 0.5], ["train": true])
    #expect(weighted.scoredText == "bad</s>|good</s>")
    #expect(weighted.lossWeights?.filter { $0 == 0.5 }.count == 4)
    let batch = Batch(collating: [weighted], objective: .nextToken)
    let factors = zip(batch.targets, batch.targetWeights ?? []).filter { $0.0 != Batch.ignoredTarget }.map(\.1)
    #expect(factors == [0.5, 0.5, 0.5, 0.5, 1, 1, 1, 1, 1])
  }

  @Test func weightsOfOtherMessagesCountWhereAllCarryLoss() throws {
    let notes = DataNotes()
    var encoder = try chatEncoder(template, notes: notes)
    let record = DataRecord(
      ["messages": [["role": "user", "content": "Q", "weight": 2], ["role": "assistant", "content": "A"]]], file: "d", line: 1)
    #expect(try encoder.encode(record).lossWeights == nil)
    #expect(notes.all.count == 1)
    encoder.completionOnlyLoss = false
    #expect(try encoder.encode(record).lossWeights?.filter { $0 == 2 }.count == "<s>user:Q</s>".count - 2 - 3)
  }

  @Test func reasoningIsReadUnderEveryName() throws {
    let reading = template.replacing("{{ m.content", with: "{{ m.reasoning_content or '' }}{{ m.content")
    let message: JSON = ["role": "assistant", "content": "A", "thinking": "T"]
    let notes = DataNotes()
    let fields: JSONObject = ["messages": [["role": "user", "content": "Q"], message]]
    #expect(try text(fields, reading, notes: notes).hasSuffix("assistant:TA</s>") && notes.all.isEmpty)
    #expect(try text(fields, notes: notes).hasSuffix("assistant:A</s>"))
    #expect(notes.all == ["d.jsonl: nothing reads the message keys \"thinking\""])
  }

  @Test func keysThatNothingReadsAreNamedOnce() throws {
    let notes = DataNotes()
    let encoder = try chatEncoder(template, notes: notes)
    let message: JSON = ["role": "assistant", "content": "A", "rating": 5, "tool_calls": .null, "name": "x"]
    for line in 1...3 {
      _ = try encoder.encode(DataRecord(["messages": [["role": "user", "content": "Q"], message], "id": 7], file: "d", line: line))
      _ = try encoder.encode(DataRecord(["instruction": "I", "output": "O", "history": [], "system": "S"], file: "e", line: line))
    }
    #expect(
      notes.all == [
        "d: nothing reads the message keys \"rating\"; nothing reads the keys \"id\"", "e: nothing reads the keys \"history\", \"system\"",
      ])
  }
}
