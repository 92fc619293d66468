import ArgumentParser
import GraftJSON
import GraftRecipes
import GraftSessions

struct Generate: ModelCommand {
  static let configuration = CommandConfiguration(
    abstract: "Complete prompts.",
    discussion: """
      Example: graft generate --model Data/models/seedling --prompt "Once upon a time" --max-new-tokens 40
      Example: graft generate --model Data/models/seedling --data prompts.jsonl --num-beams 4 --stop "." --json

      What no option says is as the checkpoint's generation_config.json says, with the meaning that it has in Transformers; \
      without such a file the most probable token is taken. graft inspect shows what it says.
      """)

  @OptionGroup var model: ModelOptions
  @Option(help: ArgumentHelp("A text to complete.", valueName: "text")) var prompt: String?
  @Option(help: ArgumentHelp("A data file of prompts.", valueName: "file")) var data: String?
  @Option(help: ArgumentHelp("The most tokens to add (default: the checkpoint's, or 128).", valueName: "n")) var maxNewTokens: Int?
  @OptionGroup var sampling: SamplingOptions
  @OptionGroup var beams: BeamOptions
  @Flag(help: "Print text as it is written, one prompt after another; always on for a single prompt on a terminal.") var stream = false
  @Flag(help: "Print one JSON line a prompt: its new tokens, and their text up to a stop string.") var json = false
  @OptionGroup var layout: LayoutOptions
  @OptionGroup var shared: SharedOptions

  func validate() throws {
    guard (prompt == nil) != (data == nil) else { throw ValidationError("give either --prompt or --data") }
    try SamplingOptions.validate(maxNewTokens: maxNewTokens)
    guard (beams.numBeams ?? 1) == 1 || !stream else {
      throw ValidationError("--num-beams: a beam search decides at the end; leave out --stream or --num-beams")
    }
  }

  func compute() throws {
    let session = try model.session()
    layout.apply(to: session)
    var options = sampling.options(maxNewTokens: maxNewTokens)
    beams.apply(to: &options)
    let plan = try session.generationPlan(options, maxNewTokens: 128)
    shared.say(plan.notes)
    let isSearch = plan.settings.beams != nil
    guard !isSearch || !stream else {
      throw ValidationError("--stream: the checkpoint asks for a beam search, which decides at the end; leave it out or set --num-beams 1")
    }
    let prompts = try prompt.map { [GenerationPrompt($0, place: "--prompt")] } ?? session.prompts(of: data ?? "")
    shared.say(session.notes)
    if !json, !isSearch, stream || (prompt != nil && Console.outputIsTerminal) {
      noteCuts(in: try streamedAnswers(to: prompts, plan, session))
      return
    }
    let bar = Watch(isQuiet: shared.quiet)
    let answers = try session.generate(prompts, plan, progress: { bar.show($0) })
    bar.end()
    noteCuts(in: answers)
    for (index, answer) in answers.enumerated() {
      guard json else {
        Console.output(answer.text)
        continue
      }
      let line: JSON = ["index": .integer(index), "tokens": .array(answer.tokens.map { .integer(Int($0)) }), "text": .string(answer.text)]
      Console.output(line.serialized())
    }
  }

  private func noteCuts(in answers: [GeneratedText]) {
    let count = answers.count(where: \.isCut)
    if count > 0, !shared.quiet { Console.note("note: \(count) of \(answers.count) answers were cut where the model's positions end") }
  }

  private func streamedAnswers(to prompts: [GenerationPrompt], _ plan: GenerationPlan, _ session: ModelSession) throws -> [GeneratedText] {
    var current = 0
    func moveOn(to prompt: Int) {
      // Answers end with a line break each, those without any text too.
      for _ in current..<prompt { Console.stream("\n") }
      current = prompt
    }
    let answers = try session.generate(prompts, plan) { prompt, text in
      moveOn(to: prompt)
      Console.stream(text)
    }
    moveOn(to: prompts.count)
    return answers
  }
}
