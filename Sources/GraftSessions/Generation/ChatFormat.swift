import Foundation
import GraftDatasets
import GraftJSON
import GraftTokenizers

/// The form in which a model wants conversations, and the end of its answers.
struct ChatFormat {
  let tokenizer: Tokenizer
  /// The ids that end an answer beside those that end any text: the tokenizer's end of sequence, and the special token that the
  /// template writes behind an answer.
  let endIDs: Set<Int32>
  private let render: ChatRenderer

  /// - Throws: `SessionError` for a model without a chat template.
  init(_ session: ModelSession) throws {
    tokenizer = try session.tokenizer()
    guard let render = DataPreparation.chatRenderer(tokenizer) else {
      throw SessionError(
        .data,
        "\(session.path): the model has no chat template; put one into chat_template.jinja beside its tokenizer.json, or complete texts with graft generate"
      )
    }
    self.render = render
    endIDs = Set([tokenizer.endOfSequenceID, Self.turnEnd(render, tokenizer)].compactMap { $0 })
  }

  /// The tokens of a conversation up to where its next answer starts.
  func prompt(_ messages: [JSON]) throws -> [Int32] {
    let ids = tokenizer.encode(try render(ChatRequest(messages, addsGenerationPrompt: true)).text, addingSpecialTokens: false)
    guard !ids.isEmpty else {
      throw SessionError(.data, "chat_template: renders the conversation as an empty text; correct the template")
    }
    return ids
  }

  private static func turnEnd(_ render: ChatRenderer, _ tokenizer: Tokenizer) -> Int32? {
    let answer = "Answer"
    let messages = [ChatHistory.message(role: "user", "Question"), ChatHistory.message(role: "assistant", answer)]
    // A template that refuses this conversation refuses the user's too, and is reported then.
    guard let text = try? render(ChatRequest(messages)).text, let place = text.range(of: answer, options: .backwards) else { return nil }
    let next = tokenizer.encode(String(text[place.upperBound...]), addingSpecialTokens: false).first
    return next.flatMap { tokenizer.isSpecial($0) ? $0 : nil }
  }
}
