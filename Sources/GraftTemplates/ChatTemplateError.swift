import GraftErrors

/// A chat template that could not be read or rendered.
public struct ChatTemplateError: UserError, Equatable {
  /// The sort of failure.
  public enum Kind: Equatable, Sendable {
    /// The template is not valid Jinja.
    case syntax
    /// The template itself refused the conversation (`raise_exception`).
    case raised
    /// An undefined value was used.
    case undefined
    /// An operation met a value it does not work on.
    case value
    /// The template reached for something that the sandbox forbids.
    case security
    /// The template ran too long, too deep or wrote too much.
    case limit
  }

  /// The sort of failure.
  public let kind: Kind
  /// The template's name, usually the file or key it came from.
  public let template: String
  /// The template's line, counted from 1.
  public let line: Int
  /// The message that the template was at, counted from 0; nil where it was at none.
  public let messageIndex: Int?
  /// The fault, as the template or the interpreter says it.
  public let message: String
}

extension ChatTemplateError {
  public var status: ErrorStatus { .malformedInput }

  public var description: String {
    "\(template):\(line): \(messageIndex.map { "message \($0 + 1): " } ?? "")\(message); \(remedy)"
  }

  /// The way to mend it.
  public var remedy: String {
    switch kind {
    case .syntax: "correct the template"
    case .raised: "change the conversation to what this template accepts"
    case .undefined, .value: "check the messages' keys and the variables that the template reads"
    case .security: "use a template that does not need it"
    case .limit: "shorten the conversation or use another template"
    }
  }
}

/// An error before its template and line are known.
struct TemplateFailure: Error {
  var kind: ChatTemplateError.Kind
  var message: String
  var line: Int?

  init(_ kind: ChatTemplateError.Kind, _ message: String, line: Int? = nil) {
    self.kind = kind
    self.message = message
    self.line = line
  }
}
