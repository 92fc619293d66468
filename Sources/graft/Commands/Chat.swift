import ArgumentParser
import GraftRecipes
import GraftSessions

struct Chat: ModelCommand {
  static let configuration = CommandConfiguration(
    abstract: "Talk with a model through its chat template.",
    discussion: """
      Example: graft chat --model Data/models/seedling --temperature 0.7 --seed 1

      A line is a message. /reset forgets the conversation, /exit or the end of the input leaves; Ctrl-C stops a reply, \
      and a second one leaves. In a pipe, standard output holds the replies only: \
      echo "What color is grass?" | graft chat --model Data/models/seedling
      """)

  @OptionGroup var model: ModelOptions
  @Option(help: ArgumentHelp("What the conversation starts with.", valueName: "text")) var system: String?
  @Option(help: ArgumentHelp("The most tokens of a reply (default: the checkpoint's, or 512).", valueName: "n")) var maxNewTokens: Int?
  @OptionGroup var sampling: SamplingOptions
  @OptionGroup var shared: SharedOptions

  func validate() throws {
    try SamplingOptions.validate(maxNewTokens: maxNewTokens)
  }

  func compute() throws {
    let session = try model.session()
    let plan = try session.generationPlan(sampling.options(maxNewTokens: maxNewTokens), maxNewTokens: 512)
    let chat = try ChatSession(session, system: system, plan)
    shared.say(session.notes)
    shared.say(chat.notes)
    let isInteractive = Console.inputIsTerminal && Console.errorIsTerminal
    Interruption.watchReplies()
    while let line = nextLine(asking: isInteractive) {
      switch line {
      case "/exit": return
      case "/reset": chat.reset()
      default:
        do {
          try answer(line, in: chat)
        } catch  where isInteractive && Failure.isOurs(error) {
          Console.error("error: \(Failure(error).message)")
        }
      }
    }
    if isInteractive { Console.status("\n") }
  }

  /// The next line that says something; nil at the end of the input.
  private func nextLine(asking: Bool) -> String? {
    while true {
      if asking { Console.status("> ") }
      guard let line = readLine() else { return nil }
      if line.contains(where: { !$0.isWhitespace }) { return line }
    }
  }

  private func answer(_ message: String, in chat: ChatSession) throws {
    let reply = try Interruption.whileReplying {
      try chat.reply(to: message, isInterrupted: { Interruption.isRequested }, onText: Console.stream)
    }
    Console.stream("\n")
    guard !shared.quiet else { return }
    if reply.droppedCount > 0 {
      Console.note("note: the \(reply.droppedCount) oldest messages were dropped: the conversation outgrew the model's positions")
    }
    if reply.isCut { Console.note("note: the reply was cut; set a larger --max-new-tokens, or /reset the conversation") }
  }
}
