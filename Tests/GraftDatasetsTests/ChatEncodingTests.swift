import GraftBatching
import GraftDatasets
import GraftJSON
import GraftTokenizers
import Testing

private let asking = "{% if add_generation_prompt %}<s>assistant:{% endif %}"
private let plain = "{% for m in messages %}<s>{{ m.role }}:{{ m.content }}</s>{% endfor %}" + asking
/// As Qwen3's: the last answer has a block in front, those before it have none.
private let lastAnswer =
  "{% for m in messages %}<s>{{ m.role }}:{% if loop.last and m.role == 'assistant' %}[t][/t]{% endif %}{{ m.content }}</s>{% endfor %}" + asking

/// A template, and what of a conversation that it renders carries loss.
struct TemplateCase: Sendable {
  let name: String, template: String, scored: String

  init(_ name: String, _ scored: String, _ parts: String...) { (self.name, self.template, self.scored) = (name, parts.joined(), scored) }

  private static let both = " Pear. </s>|Plum.</s>"

  static let all: [TemplateCase] = [
    TemplateCase("plain", both, plain),
    TemplateCase("a block before the last answer", " Pear. </s>|[t][/t]Plum.</s>", lastAnswer),
    TemplateCase("the prompt opens a block that answers do not have", both, plain, "{% if add_generation_prompt %}[t]{% endif %}"),
    TemplateCase(
      "the prompt opens a block that only the last answer has", " Pear. </s>|[/t]Plum.</s>", lastAnswer,
      "{% if add_generation_prompt %}[t]{% endif %}"),
    TemplateCase(
      "stripped contents, a line end behind turns", "Pear.</s>\n|Plum.</s>\n",
      "{% for m in messages %}<s>{{ m.role }}:{{ m.content|trim }}</s>{{ '\\n' }}{% endfor %}", asking),
    TemplateCase(
      "other names of roles, all in one expression", both,
      "{% for m in messages %}{{ '<s>' + ('bot' if m.role == 'assistant' else 'you') + ':' + m.content + '</s>' }}{% endfor %}",
      "{% if add_generation_prompt %}<s>bot:{% endif %}"),
    TemplateCase(
      "the user's turn ends with what asks", both,
      "{% for m in messages %}{% if m.role == 'user' %}U:{{ m.content }} A:{% else %}{{ m.content }}</s>{% endif %}{% endfor %}"),
    TemplateCase(
      "the prompt begins in the user's turn", both,
      "{% for m in messages %}{{ m.role if m.role == 'user' else 'A:' }}{{ m.content }}{% if m.role == 'assistant' %}</s>{% elif not loop.last %}==={% endif %}{% endfor %}",
      "{% if add_generation_prompt %}===A:{% endif %}"),
    TemplateCase(
      "numbers instead of messages", both,
      "{% for i in range(messages|length) %}{% set m = messages[i] %}{% set n = messages[i - 1] %}<s>{{ m.role }}:{{ m.content }}</s>{% endfor %}",
      asking),
    TemplateCase(
      "a loop that writes nothing, and one that starts later", both,
      "{% for m in messages %}{% set x = m.content %}{% endfor %}<s>{{ messages[0].content }}</s>",
      "{% for m in messages[1:] %}<s>{{ m.role }}:{{ m.content }}</s>{% endfor %}", asking),
    TemplateCase(
      "what follows the last message belongs to it", " Pear. |Plum.</s>",
      "{% for m in messages %}<s>{{ m.role }}:{{ m.content }}{% endfor %}{% if add_generation_prompt %}<s>assistant:{% else %}</s>{% endif %}"),
    TemplateCase("everything captured first", "Pear.|Plum.", "{% set all %}", plain, "{% endset %}{{ all }}"),
    TemplateCase(
      "marked by the template", " Pear. |Plum.",
      "{% for m in messages %}<s>{{ m.role }}:{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}",
      "{% else %}{{ m.content }}{% endif %}</s>{% endfor %}"),
  ]
}

@Suite struct ChatEncodingTests {
  private let conversation = DataRecord(
    [
      "messages": [
        ["role": "user", "content": "A fruit."], ["role": "assistant", "content": " Pear. "], ["role": "user", "content": "More?"],
        ["role": "assistant", "content": "Plum."],
      ]
    ], file: "d.jsonl", line: 3)

  /// Answers as they stand in the rendering of the whole conversation, with what ends their turns.
  @Test(arguments: TemplateCase.all)
  func answersCarryLossAsTheyStandInTheWhole(example: TemplateCase) throws {
    #expect(try chatEncoder(example.template).encode(conversation).scoredText == example.scored, "\(example.name)")
  }

  @Test func anAnswerThatBeginsAsThePromptGoesOnIsScoredWhole() throws {
    let record = DataRecord(
      ["messages": [["role": "user", "content": "Q"], ["role": "assistant", "content": "[t]so[/t]A"]]], file: "d.jsonl", line: 1)
    let opening = plain + "{% if add_generation_prompt %}[t]{% endif %}"
    #expect(try chatEncoder(opening).encode(record).scoredText == "[t]so[/t]A</s>")
    let stripping = opening.replacing("{{ m.content }}", with: "{{ m.content.split('[/t]')[-1] }}")
    #expect(try chatEncoder(stripping).encode(record).scoredText == "A</s>")
  }

  @Test func callsCarryLossAndResultsDoNot() throws {
    let template =
      "{% for m in messages %}<s>{{ m.role }}:{% if m.tool_calls %}{% for c in m.tool_calls %}[{{ c.function.name }}({{ c.function.arguments.x }})]"
      + "{% endfor %}{% else %}{{ m.content }}{% endif %}</s>{% endfor %}" + asking
    let call: JSON = ["type": "function", "function": ["name": "f", "arguments": ["x": 1]]]
    let messages: JSON = [
      ["role": "user", "content": "Q"], ["role": "assistant", "tool_calls": [call]], ["role": "tool", "content": "7"],
      ["role": "assistant", "content": "Seven"],
    ]
    #expect(try chatEncoder(template).encode(DataRecord(["messages": messages], file: "d", line: 1)).scoredText == "[f(1)]</s>|Seven</s>")
  }

  @Test func whatIsBeforeTheFirstAnswerIsThePrompt() throws {
    var encoder = try chatEncoder(plain)
    encoder.marksPrompts = true
    let example = try encoder.encode(conversation)
    #expect(example.promptLength == example.isScored.firstIndex(of: true))
    encoder.completionOnlyLoss = false
    #expect(try encoder.encode(conversation).scoredText.hasPrefix(" Pear. </s><s>user:"))
  }

  @Test func conversationsNeedTemplatesRolesAndMessages() throws {
    let bare = ExampleEncoder(tokenizer: CharacterTokenizer(), task: .causalLM)
    let encoder = try chatEncoder(plain)
    #expect { try bare.encode(conversation) } throws: { "\($0)".contains("no chat template") }
    #expect { try encoder.encode(DataRecord(["messages": [["content": "x"]]], file: "d", line: 1)) } throws: {
      "\($0)" == #"d:1: message 1: there is no "role"; write {"role": "user", "content": "..."}"#
    }
    #expect(throws: DatasetError.self) { try encoder.encode(DataRecord(["messages": []], file: "d", line: 1)) }
    #expect(throws: DatasetError.self) { try encoder.encode(DataRecord(["messages": "x"], file: "d", line: 1)) }
  }

  @Test func whatATemplateRefusesIsToldWithItsPlaces() throws {
    let encoder = try chatEncoder("{% for m in messages %}\n{{ 'a' + m.content }}\n{% endfor %}")
    let calling: JSON = ["role": "assistant", "content": .null, "tool_calls": [["name": "f"]]]
    let refusing = DataRecord(["messages": [["role": "user", "content": "Hi"], calling]], file: "d.jsonl", line: 7)
    #expect { try encoder.encode(refusing) } throws: {
      "\($0)".hasPrefix("d.jsonl:7: message 2: can only concatenate str (not \"NoneType\") to str (line 2 of chat_template); ")
    }
    let silent = DataRecord(["messages": [["role": "user", "content": "Hi"], ["role": "assistant", "content": .null]]], file: "d.jsonl", line: 7)
    #expect { try encoder.encode(silent) } throws: { "\($0)".hasPrefix("d.jsonl:7: message 2: \"content\" is null") }
  }
}
