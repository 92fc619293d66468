import GraftJSON

/// The texts of a record by what they are there for, whatever its format.
struct RecordContent {
  /// The prompt, the source or the text: what a model is given.
  var question: String
  /// The completion, the target, the last answer or the label; nil for a format that has none.
  var answer: String?
  /// All texts that people wrote.
  var texts: [String]
  /// True where an answer without anything in it is an oversight.
  var needsAnswer = true
  /// The fault in the order of a conversation's roles; nil for a good one.
  var roleFault: String?
}

extension ExampleEncoder {
  /// The texts of a record.
  ///
  /// - Throws: `DatasetError` for a record that is not of the format.
  func content(of record: DataRecord, _ format: DataFormat) throws(DatasetError) -> RecordContent {
    switch format {
    case .text: return Self.content(try record.text("text"))
    case .prompt: return Self.content(try record.text("prompt"))
    case .alpaca:
      let (instruction, input, output) = (try record.text("instruction"), try record.optionalText("input") ?? "", try record.text("output"))
      return RecordContent(question: input.isEmpty ? instruction : "\(instruction)\n\(input)", answer: output, texts: [instruction, input, output])
    case .promptCompletion, .seq2seq:
      let (prompt, completion) = try record.promptAndCompletion(format)
      return RecordContent(question: prompt, answer: completion, texts: [prompt, completion])
    case .classification:
      let texts = [try record.text("text"), try record.optionalText("text_pair")].compactMap { $0 }
      let label = requiresLabels ? try record.labelField().serialized() : nil
      return RecordContent(question: texts.joined(separator: "\n"), answer: label, texts: texts, needsAnswer: false)
    case .masked, .tokenClassification:
      let words = format == .masked ? [try record.text("text")] : try record.texts("tokens")
      let labels = JSON.array(try record.array("labels")).serialized()
      return RecordContent(question: words.joined(separator: " "), answer: labels, texts: words, needsAnswer: false)
    case .messages: return try conversationContent(of: record)
    default: return RecordContent(question: JSON.object(record.fields).serialized(), answer: nil, texts: [])
    }
  }

  private static func content(_ text: String) -> RecordContent { RecordContent(question: text, answer: nil, texts: [text]) }

  /// The last answer of a conversation, and all that comes before it.
  private func conversationContent(of record: DataRecord) throws(DatasetError) -> RecordContent {
    guard let renderChat else { return RecordContent(question: JSON.object(record.fields).serialized(), answer: nil, texts: []) }
    let conversation = try ConversationReader(record: record, roles: roles, renderer: renderChat, notes: notes).conversation()
    let messages = conversation.messages
    let contents = messages.map(Self.text(of:))
    let last = conversation.assistants.last
    let before = messages.indices.filter { $0 != last }.map { "\(messages[$0]["role"]?.string ?? ""): \(contents[$0])" }
    let callsTool = last.map { messages[$0]["tool_calls"] != nil } ?? false
    return RecordContent(
      question: before.joined(separator: "\n"), answer: last.map { contents[$0] }, texts: contents, needsAnswer: !callsTool,
      roleFault: Self.roleFault(in: messages.map { $0["role"]?.string ?? "" }))
  }

  private static func text(of message: JSON) -> String {
    message["content"]?.string ?? (message["content"]?.array ?? []).compactMap { $0["text"]?.string }.joined(separator: "\n")
  }

  /// The first fault in an order of roles, in words; nil where the system comes first and user and assistant take turns, with tools between.
  private static func roleFault(in roles: [String]) -> String? {
    let known = roles.map { $0 == "developer" ? "system" : $0 }
    guard known.contains("assistant") else { return "there is no message of the assistant" }
    if let late = known.indices.first(where: { $0 > 0 && known[$0] == "system" && known[$0 - 1] != "system" }) {
      return "message \(late + 1) is the system's, which should come first"
    }
    let turns = known.enumerated().filter { $0.element != "system" }
    if let first = turns.first, first.element == "assistant" { return "message \(first.offset + 1), the first, is the assistant's" }
    for (earlier, later) in zip(turns, turns.dropFirst()) where earlier.element == later.element && ["user", "assistant"].contains(later.element) {
      return "messages \(earlier.offset + 1) and \(later.offset + 1) are both the \(later.element)'s"
    }
    return turns.last.flatMap { $0.element == "user" ? "the last message is the user's" : nil }
  }
}

extension String {
  /// The text without differences that a model hardly sees: in lower case, with single spaces.
  var likened: String { lowercased().split(whereSeparator: \.isWhitespace).joined(separator: " ") }

  /// "empty", or "white space only"; nil for a text that has something in it.
  var emptiness: String? { isEmpty ? "empty" : allSatisfy(\.isWhitespace) ? "white space only" : nil }
}
