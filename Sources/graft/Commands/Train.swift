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
    var preparation = PreparationLine(isQuiet: shared.quiet, recipe.readingWords)
    defer { preparation.end() }
    let run = try TrainingRun(
      recipe, output: folder, use: resume ? .resumed : overwrite ? .overwritten : .refused, memory: ignoreMemory ? .ignored : .required
    ) { preparation.show($0) }
    preparation.end()
    if !shared.quiet, let estimate = run.estimate { Console.note(estimate.line) }
    Interruption.watch(isQuiet: shared.quiet)
    var reporter = RunReporter(isQuiet: shared.quiet)
    let outcome = try run.run(isInterrupted: { Interruption.isRequested }) { reporter.report($0) }
    reporter.finish(outcome)
    if outcome.isInterrupted { throw ExitCode(75) }
    if json { Console.output(outcome.summary.serialized()) }
  }

  private func preview(_ recipe: Recipe) throws {
    var preparation = PreparationLine(isQuiet: shared.quiet, recipe.readingWords)
    defer { preparation.end() }
    let preview = try RunPreview(recipe) { preparation.show($0) }
    preparation.end()
    shared.say(preview.notes)
    let estimate = try preview.estimate()
    if json { Console.output(estimate.json.serialized()) } else { Console.report(try preview.text() + "\n\n" + estimate.text) }
  }
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
      line(ProgressLine.fitted(Self.figures(of: logged), into: isTerminal ? Console.width - 1 : .max))
    case .evaluated(let step, let values): line("eval at step \(step):  " + values.map(Self.figure).joined(separator: "  "))
    case .progress(let progress): if isTerminal { bar.show(progress) }
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
    if let change = RunChange(outcome.summary) { line("\(change.name): \(change.before) before, \(change.after) after".bold) }
    let seconds = outcome.summary["wall_seconds"]?.double ?? 0
    let speed = outcome.summary["tokens_per_second"]?.double ?? 0
    line(
      "trained for \(Figure.duration(seconds: seconds)), \(Figure.grouped(Int(speed))) tok/s, "
        + "peak resident memory \(Figure.bytes(outcome.summary["peak_memory_bytes"]?.int ?? 0))")
  }

  /// The figures of a line of the log, the most important first.
  private static func figures(of logged: TrainingLine) -> [String] {
    [
      "step \(logged.step)", "loss \(Figure.fixed(logged.loss, digits: 4))", "lr \(Figure.compact(logged.learningRate))",
      "\(Figure.grouped(Int(logged.tokensPerSecond))) tok/s", Figure.duration(seconds: logged.elapsedSeconds),
    ] + logged.auxiliaryMetrics.map { "\($0.name.replacingOccurrences(of: "_", with: " ")) \(Figure.fixed($0.value, digits: 4))" }
      + (logged.lossScale.map { ["loss scale \(Figure.compact($0.scale)), \($0.skippedSteps) skipped"] } ?? [])
  }

  private mutating func line(_ text: String) {
    bar.clear()
    Console.note(text)
  }

  private static func figure(_ value: (name: String, value: Double)) -> String {
    "\(MetricFigure.words(value.name)) \(MetricFigure.text(value.value, of: value.name))"
  }

  private static func oneLine(_ text: String) -> String {
    let line = text.split(whereSeparator: \.isNewline).joined(separator: " ⏎ ").trimmingCharacters(in: .whitespaces)
    return line.count > 100 ? line.prefix(99) + "…" : line
  }
}

extension Recipe {
  /// The files that are read before anything is computed, in words.
  var readingWords: String {
    let files = data.train?.paths ?? []
    let data = files.count > 2 ? "\(files.count) files" : files.joined(separator: " and ")
    return "reading \(model.path ?? "the configuration")" + (data.isEmpty ? "" : ", \(data)")
  }
}
