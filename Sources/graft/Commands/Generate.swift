import ArgumentParser
import GraftGeneration
import GraftJSON
import GraftRecipes

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Complete prompts.",
    discussion: """
      Example: graft generate --model Data/models/seedling --prompt "Once upon a time" --max-new-tokens 40
      Example: graft generate --model Data/models/seedling --data prompts.jsonl --num-beams 4 --stop "." --json
      """)

  @OptionGroup var model: ModelOptions
  @Option(help: ArgumentHelp("A text to complete.", valueName: "text")) var prompt: String?
  @Option(help: ArgumentHelp("A data file of prompts.", valueName: "file")) var data: String?
  @Option(help: ArgumentHelp("The most tokens to add.", valueName: "n")) var maxNewTokens = 128
  @OptionGroup var sampling: SamplingOptions
  @OptionGroup var beams: BeamOptions
  @Flag(help: "Print text as it is written, one prompt after another; always on for a single prompt on a terminal.") var stream = false
  @Flag(help: "Print one JSON line a prompt: its new tokens, and their text up to a stop string.") var json = false
  @OptionGroup var layout: LayoutOptions
  @OptionGroup var shared: SharedOptions

  func validate() throws {
    guard (prompt == nil) != (data == nil) else { throw ValidationError("give either --prompt or --data") }
    guard maxNewTokens > 0 else { throw ValidationError("--max-new-tokens: is \(maxNewTokens); it must be at least 1") }
    guard beams.numBeams == 1 || sampling.temperature == 0 else {
      throw ValidationError("--num-beams: a beam search does not sample; leave out --temperature or --num-beams")
    }
    guard beams.numBeams == 1 || !stream else {
      throw ValidationError("--num-beams: a beam search decides at the end; leave out --stream or --num-beams")
    }
  }

  func run() throws {
    shared.apply()
    if !shared.quiet { sampling.noteWhatHasNoEffect() }
    let session = try model.session()
    layout.apply(to: session)
    shared.say(session.notes)
    var settings = sampling.settings(maxNewTokens: maxNewTokens)
    settings.beams = beams.settings
    let prompts = try prompt.map { [$0] } ?? session.prompts(of: data ?? "")
    shared.say(session.notes)
    if !json, beams.numBeams == 1, stream || (prompt != nil && Console.outputIsTerminal) {
      noteCuts(in: try streamedAnswers(to: prompts, settings, session))
      return
    }
    let answers = try session.generate(prompts, settings, stops: sampling.stop)
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

  private func streamedAnswers(to prompts: [String], _ settings: SamplingSettings, _ session: ModelSession) throws -> [GeneratedText] {
    var current = 0
    func moveOn(to prompt: Int) {
      // Answers end with a line break each, those without any text too.
      for _ in current..<prompt { Console.stream("\n") }
      current = prompt
    }
    let answers = try session.generate(prompts, settings, stops: sampling.stop) { prompt, text in
      moveOn(to: prompt)
      Console.stream(text)
    }
    moveOn(to: prompts.count)
    return answers
  }
}
