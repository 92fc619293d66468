import Foundation
import ArgumentParser
import GraftRecipes
import GraftReports
import GraftSessions
import GraftTraining
import Rainbow

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run a recipe: fine-tuning or pretraining, full or with a method.",
    discussion: """
      Without a recipe, --model and --data suffice: LoRA on a Hugging Face checkpoint for one epoch.

      Example: graft train Recipes/quickstart.yaml training.learning_rate=1e-3 --output runs/mine
      Example: graft train --model Data/models/seedling --data Data/instructions/train.jsonl
      """)

  @OptionGroup var source: RecipeOptions
  @Option(help: ArgumentHelp("The run directory (default: the recipe's output_dir).", valueName: "dir")) var output: String?
  @Flag(help: "Go on with the run in the run directory from its newest checkpoint, or from the beginning where it has none.") var resume = false
  @Flag(help: "Replace the run in the run directory: what it wrote is removed once recipe, data and model have been read.") var overwrite = false
  @Flag(help: "Show the resolved recipe, the modules it matches, three examples and an estimate; nothing is trained or written.") var dryRun = false
  @Flag(help: "Begin even where the run is predicted not to fit into memory.") var ignoreMemory = false
  @Flag(help: "Print the summary as JSON on standard output.") var json = false
  @OptionGroup var shared: SharedOptions

  func validate() throws {
    if resume, overwrite { throw ValidationError("--overwrite: begins anew what --resume would go on with; keep one of both") }
  }

  func run() throws {
    shared.apply()
    let recipe = try source.resolved()
    try recipe.requireSingleRun()
    if !shared.quiet { for remark in recipe.remarks { Console.note("note: \(remark)") } }
    if dryRun { return try preview(recipe) }
    let folder = output ?? recipe.outputDirectory ?? "runs/run"
    var counting = CountingLine(isQuiet: shared.quiet)
    let run = try TrainingRun(
      recipe, output: folder, use: resume ? .resumed : overwrite ? .overwritten : .refused, memory: ignoreMemory ? .ignored : .required
    ) { counting.show($0, of: $1) }
    counting.end()
    if !shared.quiet, let estimate = run.estimate { Console.note(estimate.text) }
    Interruption.watch(isQuiet: shared.quiet)
    var reporter = RunReporter(isQuiet: shared.quiet)
    let outcome = try run.run(isInterrupted: { Interruption.isRequested }) { reporter.report($0) }
    reporter.finish(outcome)
    if outcome.isInterrupted { throw ExitCode(75) }
    if json { Console.output(outcome.summary.serialized()) }
  }

  private func preview(_ recipe: Recipe) throws {
    var counting = CountingLine(isQuiet: shared.quiet)
    let preview = try RunPreview(recipe) { counting.show($0, of: $1) }
    counting.end()
    shared.say(preview.notes)
    let estimate = try preview.estimate()
    if json { Console.output(estimate.json.serialized()) } else { Console.report(try preview.text() + "\n\n" + estimate.text) }
  }
}

/// Says how far a large data file is encoded: in place on a terminal, else a line every tenth.
struct CountingLine {
  let isQuiet: Bool
  private var bar = ProgressLine()
  private var told = 0

  init(isQuiet: Bool) { self.isQuiet = isQuiet }

  mutating func show(_ done: Int, of total: Int) {
    guard !isQuiet, total > 0 else { return }
    if Console.errorIsTerminal { return bar.show("encoding the records:", done: done, of: total) }
    let tenth = 10 * done / total
    guard tenth > told else { return }
    told = tenth
    Console.note("encoding the records: \(10 * tenth) %")
  }

  mutating func end() { bar.clear() }
}

/// Says on standard error what happens in a run.
struct RunReporter {
  let isQuiet: Bool
  private var bar = ProgressLine()
  private let isTerminal = Console.errorIsTerminal

  init(isQuiet: Bool) { self.isQuiet = isQuiet }

  mutating func report(_ event: RunEvent) {
    guard !isQuiet else { return }
    switch event {
    case .started(let overview):
      Console.note(
        "\(overview.methodName) on \(overview.modelName): \(Figure.grouped(overview.trainableParameters)) of "
          + "\(Figure.grouped(overview.totalParameters)) parameters trained, \(Figure.grouped(overview.exampleCount)) examples, "
          + "\(overview.stepCount) steps" + (overview.firstStep > 0 ? ", from step \(overview.firstStep)" : ""))
    case .note(let text): line("note: \(text)")
    case .training(.stepped(let step, let total, let loss, let speed, let left)):
      if isTerminal { bar.show(step: step, of: total, loss: loss, tokensPerSecond: speed, secondsLeft: left) }
    case .training(.logged(let logged)):
      guard !isTerminal else { return }
      line(
        "step \(logged.step)  loss \(Figure.fixed(logged.loss, digits: 4))  lr \(Figure.compact(logged.learningRate))  "
          + "\(Figure.grouped(Int(logged.tokensPerSecond))) tok/s  \(Figure.duration(seconds: logged.elapsedSeconds))"
          + logged.auxiliaryMetrics.map { "  \($0.name.replacingOccurrences(of: "_", with: " ")) \(Figure.fixed($0.value, digits: 4))" }.joined()
          + (logged.lossScale.map { "  loss scale \(Figure.compact($0.scale)), \($0.skippedSteps) skipped" } ?? ""))
    case .evaluated(let step, let values): line("eval at step \(step):  " + values.map(Self.figure).joined(separator: "  "))
    case .answered(let answer, let isBefore):
      let mark = answer.isExact ? "✓".green : "✗".red
      line("\(isBefore ? "before" : "after ") \(mark) \(Self.oneLine(answer.prompt))" + " →" + " \(Self.oneLine(answer.answer))".bold)
    case .saved(let path): line("saved: \(path)".bold)
    }
  }

  mutating func finish(_ outcome: RunOutcome) {
    guard !isQuiet else { return }
    if outcome.isInterrupted {
      line("interrupted; go on with: graft train \(outcome.output)/recipe.yaml --output \(outcome.output) --resume")
      return
    }
    if let before = outcome.summary["initial_eval_exact_match"]?.double, let after = outcome.summary["eval_exact_match"]?.double {
      line("exact match: \(Self.percent(before)) before, \(Self.percent(after)) after".bold)
    }
    let seconds = outcome.summary["wall_seconds"]?.double ?? 0
    let speed = outcome.summary["tokens_per_second"]?.double ?? 0
    line(
      "trained for \(Figure.duration(seconds: seconds)), \(Figure.grouped(Int(speed))) tok/s, "
        + "peak resident memory \(Figure.bytes(outcome.summary["peak_memory_bytes"]?.int ?? 0))")
  }

  private mutating func line(_ text: String) {
    bar.clear()
    Console.note(text)
  }

  private static func figure(_ value: (name: String, value: Double)) -> String {
    let name = value.name.hasPrefix("eval_") ? String(value.name.dropFirst(5)) : value.name
    let isShare = name.hasSuffix("accuracy") || name == "exact_match"
    return "\(name.replacingOccurrences(of: "_", with: " ")) " + (isShare ? percent(value.value) : Figure.fixed(value.value, digits: 4))
  }

  private static func percent(_ share: Double) -> String { "\(Figure.fixed(100 * share, digits: 1)) %" }

  private static func oneLine(_ text: String) -> String {
    let line = text.split(whereSeparator: \.isNewline).joined(separator: " ⏎ ").trimmingCharacters(in: .whitespaces)
    return line.count > 100 ? line.prefix(99) + "…" : line
  }
}
