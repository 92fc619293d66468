import GraftConfiguration

/// A line of a chat: a message, or a command, which begins with a slash.
enum ChatCommand: Equatable {
  case message(String)
  case help, reset, base, exit
  /// A new beginning with a system message; without one where there is no text.
  case system(String?)
  /// The adapter that answers from here on; nil lists those that are there.
  case adapter(String?)
  case save(String)
  /// Nil tells the temperature.
  case temperature(Float?)
  /// A command that there is not, or that is not written so, with what to say of it.
  case wrong(String)

  /// The commands with what they do.
  static let list = [
    ("/help", "lists the commands"), ("/reset", "forgets the conversation"),
    ("/system [TEXT]", "begins anew with a system message, or without one"),
    ("/adapter [NAME]", "lets an adapter in memory, or that of a path, answer; lists them"),
    ("/base", "lets the model answer without an adapter"), ("/save FILE", "writes the conversation as a line of training data"),
    ("/temperature [X]", "sets or tells the temperature; 0 always takes the most probable token"), ("/exit", "leaves, as the end of the input does"),
  ]

  private static let names = list.map { String($0.0.prefix { $0 != " " }) }

  /// Reads a line; a message that begins with a slash has two of them.
  init(_ line: String) {
    let trimmed = line.drop { $0.isWhitespace }
    guard trimmed.first == "/", !trimmed.hasPrefix("//") else {
      self = .message(trimmed.first == "/" ? String(trimmed.dropFirst()) : line)
      return
    }
    let name = trimmed.prefix { !$0.isWhitespace }
    let rest = String(trimmed.dropFirst(name.count).drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    let argument = rest.isEmpty ? nil : rest
    switch (name, argument) {
    case ("/help", _): self = .help
    case ("/reset", nil): self = .reset
    case ("/base", nil): self = .base
    case ("/exit", nil), ("/quit", nil): self = .exit
    case ("/system", _): self = .system(argument)
    case ("/adapter", _): self = .adapter(argument)
    case ("/save", let file?): self = .save(file)
    case ("/save", nil): self = .wrong("/save: give a file")
    case ("/temperature", nil): self = .temperature(nil)
    case ("/temperature", let text?):
      if let value = Float(text), value >= 0, value.isFinite {
        self = .temperature(value)
      } else {
        self = .wrong("/temperature: is \(text); it must be 0 or more")
      }
    default: self = .wrong(Self.complaint(String(name), isKnown: Self.names.contains(String(name))))
    }
  }

  private static func complaint(_ name: String, isKnown: Bool) -> String {
    if isKnown { return "\(name): takes nothing behind it" }
    let near = NearestName.of(name, among: names).map { "did you mean \($0)?" } ?? "/help lists the commands."
    return "\(name): there is no such command; \(near) A message that begins with a slash is written with two"
  }
}
