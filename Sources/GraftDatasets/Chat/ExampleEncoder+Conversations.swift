import GraftBatching
import GraftJSON
import GraftTemplates
import GraftTokenizers

/// Causal language modelling: conversations.
extension ExampleEncoder {
  /// Loss on all of the assistant's turns, as they stand in the rendering of the whole conversation. What comes before the first
  /// of them is the prompt.
  func messages(_ record: DataRecord) throws -> EncodedExample {
    var example = try assistantTurns(record)
    guard marksPrompts else { return example }
    let start = example.isScored.firstIndex(of: true) ?? example.tokens.count
    example.promptLength = start
    if !completionOnlyLoss { example.score(start..<example.tokens.count) }
    return example
  }

  /// A conversation with loss on the assistant's turns, or on everything where prompts carry loss too.
  private func assistantTurns(_ record: DataRecord) throws -> EncodedExample {
    guard let renderChat else {
      throw record.error("the model has no chat template", "choose a model that has one, or use prompt and completion")
    }
    let (conversation, whole) = try rendered(record, renderChat)
    let alignment = TokenAlignment(tokenizer, text: whole.text)
    let everything = !completionOnlyLoss && !marksPrompts
    var example = EncodedExample(tokens: alignment.tokens, isScored: Array(repeating: everything, count: alignment.tokens.count))
    let assistants = conversation.assistants
    if everything {
      for span in whole.messageSpans {
        if let weight = conversation.weights[span.message] { example.score(alignment.tokens(holding: span.range), weight: weight) }
      }
      return example.withoutLossOnFirst()
    }
    for (index, weight) in conversation.weights.enumerated() where (weight ?? 0) > 0 && !assistants.contains(index) {
      notes.say(
        "only the assistant's messages carry loss, whatever \"weight\" or \"train\" of others says; set completion_only_loss: false for all",
        of: record.file)
    }
    guard let answers = AnswerFinder(render: renderChat, request: conversation.request).answers(in: whole, assistants: assistants) else {
      throw record.error(
        "the assistant's messages cannot be found in what the chat template writes", "use a template that marks them with {% generation %}")
    }
    for answer in answers {
      example.score(alignment.tokens(holding: answer.range), weight: conversation.weights[answer.message] ?? 1)
    }
    return example.withoutLossOnFirst()
  }

  /// The conversation of a record, and what the template makes of it.
  private func rendered(_ record: DataRecord, _ renderer: ChatRenderer) throws -> (Conversation, RenderedChat) {
    var reader = ConversationReader(record: record, roles: roles, renderer: renderer, notes: notes)
    var conversation = try reader.conversation()
    var whole: RenderedChat
    do { whole = try renderer(conversation.request) } catch let error as ChatTemplateError {
      // Some templates want the arguments of calls as the texts that the data has.
      reader.parsesArguments = false
      let other = try reader.conversation()
      guard other.messages != conversation.messages, let text = try? renderer(other.request) else { throw record.error(error) }
      (conversation, whole) = (other, text)
    }
    if let ending = tokenizer.endOfSequenceText, whole.text.contains(ending + ending), conversation.dropEnding(ending) {
      notes.say("messages end with \"\(ending)\" already, which is not added again", of: record.file)
      whole = try renderer(conversation.request)
    }
    if let beginning = tokenizer.beginningOfSequenceText, whole.text.hasPrefix(beginning + beginning), conversation.dropBeginning(beginning) {
      notes.say("conversations begin with \"\(beginning)\" already, which is not added again", of: record.file)
      whole = try renderer(conversation.request)
    }
    return (conversation, whole)
  }
}

extension Conversation {
  /// Takes the end of a sequence from the contents that end with it.
  /// - Returns: true where there were any.
  fileprivate mutating func dropEnding(_ ending: String) -> Bool {
    var found = false
    for index in messages.indices {
      guard let content = messages[index]["content"]?.string, content.hasSuffix(ending) else { continue }
      messages[index]["content"] = .string(String(content.dropLast(ending.count)))
      found = true
    }
    return found
  }

  /// Takes the beginning of a sequence from the first content, where it begins with it.
  /// - Returns: true where it did.
  fileprivate mutating func dropBeginning(_ beginning: String) -> Bool {
    guard let content = messages.first?["content"]?.string, content.hasPrefix(beginning) else { return false }
    messages[0]["content"] = .string(String(content.dropFirst(beginning.count)))
    return true
  }
}

extension DataRecord {
  /// Returns the error of a chat template that refuses the record.
  func error(_ error: ChatTemplateError) -> DatasetError {
    let message = error.messageIndex.map { "message \($0 + 1): " } ?? ""
    return self.error("\(message)\(error.message) (line \(error.line) of \(error.template))", error.remedy)
  }
}

extension EncodedExample {
  mutating func score(_ range: Range<Int>) {
    for index in range { isScored[index] = true }
  }

  /// Lets tokens carry loss times a factor; none where it is 0.
  mutating func score(_ range: Range<Int>, weight: Double) {
    for index in range { isScored[index] = weight > 0 }
    guard weight > 0, weight != 1 || lossWeights != nil else { return }
    var weights = lossWeights ?? Array(repeating: 1, count: tokens.count)
    for index in range { weights[index] = Float(weight) }
    lossWeights = weights
  }
}
