import Foundation
import GraftCheckpoints
import GraftReports
import GraftSessions
import Rainbow

/// A chat at work: it takes lines, answers messages and does what commands say.
struct Talk {
  let chat: ChatSession
  /// The same conversation without the adapter, where both are compared.
  let base: ChatSession?
  let adapters: ChatAdapters
  let modelName: String
  let isQuiet: Bool

  private var sessions: [ChatSession] { [base, chat].compactMap { $0 } }

  /// Says who answers, and the commands.
  func greet() {
    let partner = base == nil ? speaker(chat) : "\(speaker(chat)), beside the model without it"
    Console.note("\(modelName): \(partner)")
    listCommands()
    Console.note("Ctrl-C stops a reply, and leaves where none is being written".dim)
  }

  /// - Returns: false where the chat is to end.
  func take(_ command: ChatCommand) throws -> Bool {
    switch command {
    case .exit: return false
    case .message(let text): try answer(text)
    case .help: listCommands()
    case .reset: for session in sessions { session.reset() }
    case .system(let text):
      for session in sessions { session.begin(with: text) }
      say(text == nil ? "a new conversation without a system message" : "a new conversation")
    case .adapter(nil):
      let names = adapters.names.map { $0 == chat.adapter ? "\($0) (answers)" : $0 }
      say(names.isEmpty ? "there are no adapters; /adapter PATH reads one" : "adapters: \(names.joined(separator: ", "))")
    case .adapter(let name?):
      try chat.use(try adapters.load(name))
      say(speaker(chat))
    case .base:
      try chat.use(nil)
      say(speaker(chat))
    case .save(let file): try save(to: file)
    case .temperature(nil): say("the temperature is \(Figure.compact(Double(chat.temperature)))")
    case .temperature(let value?): for session in sessions { session.temperature = value }
    case .wrong(let complaint): Console.error("error: \(complaint)")
    }
    return true
  }

  private func speaker(_ session: ChatSession) -> String {
    session.adapter.map { "the adapter \($0) answers" } ?? "the model without an adapter answers"
  }

  private func listCommands() {
    let width = ChatCommand.list.map(\.0.count).max() ?? 0
    for (name, meaning) in ChatCommand.list { Console.note("  \(name.padding(toLength: width + 2, withPad: " ", startingAt: 0))\(meaning)") }
  }

  /// The conversation as a file of one record, which training reads.
  private func save(to file: String) throws {
    guard !FileManager.default.fileExists(atPath: file) else {
      throw CheckpointError(.cannotCreate, file, "is there already", remedy: "choose another name")
    }
    try AtomicFile.write((chat.record.serialized() + "\n").utf8, to: file)
    say("saved: \(file)")
  }

  private func say(_ text: String) {
    if !isQuiet { Console.note(text) }
  }

  private func answer(_ message: String) throws {
    for session in sessions {
      if base != nil { Console.stream("[\(session.adapter ?? "base")] ") }
      guard try reply(to: message, session) else { return }
    }
  }

  /// - Returns: false where the reply was stopped.
  private func reply(to message: String, _ session: ChatSession) throws -> Bool {
    var wasStopped = false
    let reply = try Interruption.whileReplying {
      try session.reply(
        to: message,
        isInterrupted: {
          wasStopped = Interruption.isRequested
          return wasStopped
        }, onText: Console.stream)
    }
    Console.stream("\n")
    guard !isQuiet else { return !wasStopped }
    if reply.droppedCount > 0 {
      Console.note("note: the \(reply.droppedCount) oldest messages were dropped: the conversation outgrew the model's positions")
    }
    if reply.isCut { Console.note("note: the reply was cut; set a larger --max-new-tokens, or /reset the conversation") }
    return !wasStopped
  }
}
