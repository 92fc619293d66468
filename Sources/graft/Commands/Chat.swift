import ArgumentParser
import GraftRecipes
import GraftSessions

struct Chat: ModelCommand {
  static let configuration = CommandConfiguration(
    abstract: "Talk with a model through its chat template.",
    discussion: """
      Example: graft chat --model Data/models/seedling --temperature 0.7 --seed 1
      Example: graft chat --model Data/models/seedling --adapter runs/quickstart --compare

      A line is a message, and one that begins with a slash a command: /help lists them. Ctrl-C stops a reply, and leaves where none is being \
      written. In a pipe, standard output holds the replies only: echo "What color is grass?" | graft chat --model Data/models/seedling
      """)

  @OptionGroup var model: ModelOptions
  @Option(help: ArgumentHelp("What the conversation starts with.", valueName: "text")) var system: String?
  @Option(help: ArgumentHelp("The most tokens of a reply (default: the checkpoint's, or 512).", valueName: "n")) var maxNewTokens: Int?
  @Flag(help: "Answer every message twice, without the adapter and with it; each has its own conversation.") var compare = false
  @OptionGroup var sampling: SamplingOptions
  @OptionGroup var shared: SharedOptions

  func validate() throws {
    try SamplingOptions.validate(maxNewTokens: maxNewTokens)
    if compare, model.adapter == nil, model.run == nil { throw ValidationError("--compare: needs an --adapter to compare the model with") }
  }

  func compute() throws {
    let reference = try model.reference()
    let session = try model.session()
    let plan = try session.generationPlan(sampling.options(maxNewTokens: maxNewTokens), maxNewTokens: 512)
    let adapters = ChatAdapters(session, opened: reference.adapters, ignoresFingerprint: model.force)
    let base = compare ? try ChatSession(session, system: system, adapters: adapters, plan) : nil
    let chat = try ChatSession(session, system: system, adapters: adapters, adapter: adapters.names.first, plan)
    shared.say(session.notes)
    shared.say(chat.notes)
    let isInteractive = Console.inputIsTerminal && Console.errorIsTerminal
    Interruption.watchReplies()
    if isInteractive { LineEditor.setUp() }
    let talk = Talk(chat: chat, base: base, adapters: adapters, modelName: reference.model, isQuiet: shared.quiet)
    if isInteractive, !shared.quiet { talk.greet() }
    while let line = nextLine(asking: isInteractive) {
      do {
        guard try talk.take(ChatCommand(line)) else { return }
      } catch  where isInteractive && Failure.isOurs(error) {
        Console.error("error: \(Failure(error).message)")
      }
    }
    if isInteractive { Console.status("\n") }
  }

  /// The next line that says something; nil at the end of the input.
  private func nextLine(asking: Bool) -> String? {
    while true {
      guard let line = asking ? LineEditor.line(after: "> ") : readLine() else { return nil }
      if line.contains(where: { !$0.isWhitespace }) { return line }
    }
  }
}
