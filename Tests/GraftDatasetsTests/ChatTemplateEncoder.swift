import GraftBatching
import GraftDatasets
import GraftTemplates
import GraftTokenizers

/// An encoder of conversations by a template, one token a character.
func chatEncoder(_ template: String, notes: DataNotes = DataNotes(), roles: [String: String] = [:]) throws -> ExampleEncoder {
  let compiled = try ChatTemplate(template)
  let renderer = ChatRenderer(source: template) { request in
    try compiled.render(
      messages: request.messages, tools: request.tools, addGenerationPrompt: request.addsGenerationPrompt,
      specialTokens: ["bos_token": "<s>", "eos_token": "</s>"], variables: request.variables)
  }
  return ExampleEncoder(tokenizer: CharacterTokenizer(), task: .causalLM, renderChat: renderer, roles: roles, notes: notes)
}

extension EncodedExample {
  /// The text of the tokens that carry loss, stretches of them parted by a bar.
  var scoredText: String {
    var text = ""
    var wasScored = false
    for (id, isScored) in zip(tokens, isScored) {
      if isScored, !wasScored, !text.isEmpty { text += "|" }
      if isScored { text += CharacterTokenizer.text([id]) }
      wasScored = isScored
    }
    return text
  }
}
