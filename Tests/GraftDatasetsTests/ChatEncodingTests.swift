import GraftBatching
import GraftDatasets
import GraftJSON
import Testing

/// Turns as `<s>` role content `</s>`, with the first letter of the role.
private func render(_ messages: [JSON], rewritesHistory: Bool, marks: Bool, asks: Bool) -> RenderedChat {
  var text = ""
  var ranges: [Range<Int>] = []
  for (index, message) in messages.enumerated() {
    let role = message["role"]?.string ?? ""
    text += "<s>" + role.prefix(1)
    let start = text.utf8.count
    text += message["content"]?.string ?? ""
    text += rewritesHistory && index < messages.count - 1 ? "!" : ""
    text += "</s>"
    if role == "assistant" { ranges.append(start..<text.utf8.count) }
  }
  if asks { text += "<s>a" }
  return RenderedChat(text: text, assistantRanges: marks ? ranges : nil)
}

@Suite struct ChatEncodingTests {
  private let conversation = DataRecord(
    [
      "messages": [
        ["role": "user", "content": "hi"], ["role": "assistant", "content": "yo"], ["role": "user", "content": "q"],
        ["role": "assistant", "content": "é"],
      ]
    ], file: "d.jsonl", line: 3)

  private func encoder(rewritesHistory: Bool = false, marks: Bool = false) -> ExampleEncoder {
    ExampleEncoder(
      tokenizer: CharacterTokenizer(), task: .causalLM,
      renderChat: { messages, _, asks in render(messages, rewritesHistory: rewritesHistory, marks: marks, asks: asks) })
  }

  @Test(arguments: [false, true])
  func allOfTheAssistantsTurnsCarryLoss(marks: Bool) throws {
    let example = try encoder(marks: marks).encode(conversation)
    // No special tokens but the template's: <s>uhi</s> <s>ayo</s> <s>uq</s> <s>aé</s>
    let expected = "00000" + "00111" + "0000" + "0011"
    #expect(example.isScored.map { $0 ? "1" : "0" }.joined() == expected)
    #expect(example.tokens.filter { $0 == 1 }.count == 4)
  }

  @Test func aTemplateThatRewritesHistoryIsRefusedUnlessItMarksTurns() throws {
    #expect {
      try encoder(rewritesHistory: true).encode(conversation)
    } throws: { "\($0)".hasPrefix("d.jsonl:3: the chat template renders message 1 differently") }
    let marked = try encoder(rewritesHistory: true, marks: true).encode(conversation)
    #expect(marked.isScored.filter { $0 }.count == 6)
  }

  @Test func conversationsNeedTemplatesRolesAndMessages() {
    let bare = ExampleEncoder(tokenizer: CharacterTokenizer(), task: .causalLM)
    #expect { try bare.encode(conversation) } throws: { "\($0)".contains("no chat template") }
    #expect { try encoder().encode(DataRecord(["messages": [["content": "x"]]], file: "d", line: 1)) } throws: {
      "\($0)".contains("no \"role\"")
    }
    #expect(throws: DatasetError.self) { try encoder().encode(DataRecord(["messages": []], file: "d", line: 1)) }
    #expect(throws: DatasetError.self) { try encoder().encode(DataRecord(["messages": "x"], file: "d", line: 1)) }
  }
}
