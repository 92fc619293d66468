import GraftJSON
import GraftTemplates
import Synchronization

/// A conversation to be written as a chat template says, and what goes with it.
public struct ChatRequest: Sendable {
  /// The messages, each an object with a role.
  public var messages: [JSON]
  /// The functions that a model may call, as JSON Schemas.
  public var tools: [JSON]?
  /// The documents that a model may cite.
  public var documents: [JSON]?
  /// Further variables of the template.
  public var variables: [String: JSON]
  /// True where the text ends with the start of an answer.
  public var addsGenerationPrompt: Bool

  /// - Parameters:
  ///   - messages: the messages, each an object with a role.
  ///   - variables: further variables of the template.
  public init(
    _ messages: [JSON], tools: [JSON]? = nil, documents: [JSON]? = nil, variables: [String: JSON] = [:], addsGenerationPrompt: Bool = false
  ) {
    (self.messages, self.tools, self.documents) = (messages, tools, documents)
    (self.variables, self.addsGenerationPrompt) = (variables, addsGenerationPrompt)
  }

  /// The same request with the first messages only, or others.
  func with(_ messages: some Sequence<JSON>, addsGenerationPrompt: Bool = false) -> ChatRequest {
    var copy = self
    (copy.messages, copy.addsGenerationPrompt) = (Array(messages), addsGenerationPrompt)
    return copy
  }
}

/// A model's chat template at work.
public final class ChatRenderer: Sendable {
  let source: String
  private let render: @Sendable (ChatRequest) throws -> RenderedChat
  private let answer = Mutex<Bool?>(nil)

  /// - Parameters:
  ///   - source: the template, or several, in which the names that it reads stand.
  ///   - render: writes a conversation; it throws what the template has against it.
  public init(source: String, _ render: @escaping @Sendable (ChatRequest) throws -> RenderedChat) {
    (self.source, self.render) = (source, render)
  }

  /// Returns a conversation as text.
  /// - Throws: what the template has against it.
  public func callAsFunction(_ request: ChatRequest) throws -> RenderedChat { try render(request) }

  /// Returns true for a name that stands in the template: a key or variable that does not is not read.
  public func mentions(_ name: String) -> Bool { source.contains(name) }

  /// True where the template takes a content that is a list of parts for the text of the parts.
  var readsParts: Bool {
    if let known = answer.withLock({ $0 }) { return known }
    let text: JSON = "Probe"
    let parts: JSON = [["type": "text", "text": text]]
    func written(_ content: JSON) -> String? {
      try? render(ChatRequest([["role": "user", "content": content], ["role": "assistant", "content": content]])).text
    }
    let reads = written(parts).map { $0 == written(text) } ?? false
    answer.withLock { $0 = reads }
    return reads
  }
}
