import Foundation
import GraftJSON

/// A chat template: how a checkpoint wants a conversation written as one text.
///
/// The language is Jinja with the settings, globals and the `generation` tag of Transformers'
/// `apply_chat_template`, in its sandbox: lists and dictionaries cannot be changed, and a template that
/// runs too long, nests too deep or writes too much is stopped.
public struct ChatTemplate: Sendable {
  /// The template's name in error messages.
  public let name: String
  /// The template as it was given.
  public let source: String
  private let program: TemplateProgram

  /// Reads a template.
  ///
  /// - Throws: `ChatTemplateError` with the line where the template is not valid Jinja.
  public init(_ source: String, name: String = "chat_template") throws(ChatTemplateError) {
    self.name = name
    self.source = source
    do {
      program = try TemplateParser.parse(source)
    } catch {
      throw ChatTemplateError(error, template: name, line: 1)
    }
  }

  /// Writes a conversation as the template says.
  ///
  /// - Parameters:
  ///   - messages: objects, usually with `role` and `content`.
  ///   - tools: the tools' JSON schemas; the template sees none where there are none.
  ///   - documents: documents to ground the answer in, for templates that read them.
  ///   - addGenerationPrompt: true to end with the start of an answer.
  ///   - specialTokens: the tokenizer's tokens by their names, such as `bos_token`.
  ///   - variables: further variables of the template, such as `enable_thinking`; they win over `specialTokens`.
  /// - Throws: `ChatTemplateError` with the line that failed, also where the template refuses the conversation.
  public func render(
    messages: [JSON], tools: [JSON]? = nil, documents: [JSON]? = nil, addGenerationPrompt: Bool = false,
    specialTokens: [String: String], variables: [String: JSON] = [:]
  ) throws(ChatTemplateError) -> RenderedChat {
    try render(
      messages: messages, tools: tools, documents: documents, addGenerationPrompt: addGenerationPrompt,
      specialTokens: specialTokens, variables: variables, date: Date(), timeZone: .current)
  }

  /// Renders at a given time, which `strftime_now` shows.
  package func render(
    messages: [JSON], tools: [JSON]?, documents: [JSON]?, addGenerationPrompt: Bool,
    specialTokens: [String: String], variables: [String: JSON], date: Date, timeZone: TimeZone
  ) throws(ChatTemplateError) -> RenderedChat {
    var values = specialTokens.mapValues(TemplateValue.string)
    for (name, value) in variables { values[name] = TemplateValue(value) }
    values["messages"] = .list(messages.enumerated().map { Self.value(of: Self.namingReasoning(in: $1), index: $0) })
    values["tools"] = tools.map { .list($0.map(TemplateValue.init)) } ?? TemplateValue.none
    values["documents"] = documents.map { .list($0.map(TemplateValue.init)) } ?? TemplateValue.none
    values["add_generation_prompt"] = .bool(addGenerationPrompt)
    let interpreter = TemplateInterpreter(program)
    do {
      try interpreter.run(variables: values, globals: TemplateGlobals.all(at: date, in: timeZone))
    } catch {
      throw ChatTemplateError(error, template: name, line: interpreter.line, message: interpreter.currentMessage)
    }
    // A marked text that the template captured and dropped must not point behind the end.
    let bytes = 0..<interpreter.output.utf8.count
    return RenderedChat(
      text: interpreter.output, assistantSpans: interpreter.spans.map { $0.clamped(to: bytes) }, messageSpans: interpreter.messageSpans)
  }

  /// A message that knows its number.
  private static func value(of message: JSON, index: Int) -> TemplateValue {
    guard case .dictionary(var dictionary) = TemplateValue(message) else { return TemplateValue(message) }
    dictionary.messageIndex = index
    return .dictionary(dictionary)
  }

  /// Gives a message's reasoning under the names that templates read, as Transformers does.
  private static func namingReasoning(in message: JSON) -> JSON {
    guard let members = message.object else { return message }
    let given = ["reasoning_content", "thinking", "reasoning"].lazy.compactMap { members[$0] }.first { !$0.isNull }
    guard let given else { return message }
    var renamed: [(String, JSON)] = [("thinking", members["thinking"] ?? given)]
    for (key, value) in members where key != "thinking" {
      renamed.append((key, key == "reasoning_content" ? given : value))
    }
    if members["reasoning_content"] == nil { renamed.append(("reasoning_content", given)) }
    return .object(JSONObject(renamed))
  }
}

/// A conversation as text.
public struct RenderedChat: Sendable, Equatable {
  /// The whole text, special tokens included.
  public var text: String
  /// The ranges of `{% generation %}` blocks in `text`, in UTF-8 bytes; empty where the template has none.
  public var assistantSpans: [Range<Int>]
  /// The text written while a loop stood at a message, in order; nothing is known of a text that a block captured first.
  public var messageSpans: [MessageSpan]

  /// - Parameters:
  ///   - assistantSpans: in UTF-8 bytes of `text`.
  ///   - messageSpans: the text written for each message, in order.
  public init(text: String, assistantSpans: [Range<Int>] = [], messageSpans: [MessageSpan] = []) {
    self.text = text
    self.assistantSpans = assistantSpans
    self.messageSpans = messageSpans
  }
}

/// A stretch of a rendered conversation that a template wrote for one message.
public struct MessageSpan: Sendable, Equatable {
  /// The message's number, counted from 0.
  public var message: Int
  /// UTF-8 bytes of the rendered text.
  public var range: Range<Int>

  /// - Parameters:
  ///   - message: counted from 0.
  ///   - range: UTF-8 bytes of the rendered text.
  public init(message: Int, range: Range<Int>) {
    self.message = message
    self.range = range
  }
}

extension ChatTemplateError {
  init(_ error: any Error, template: String, line: Int, message: Int? = nil) {
    let failure = error as? TemplateFailure
    self.init(
      kind: failure?.kind ?? .value, template: template, line: failure?.line ?? line, messageIndex: message,
      message: failure?.message ?? "\(error)")
  }
}
