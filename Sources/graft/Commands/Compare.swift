import Foundation
import ArgumentParser
import GraftComparison
import GraftFiles
import GraftRecipes
import GraftReports
import GraftTraining
import Rainbow

struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run one task under several methods and seeds, and say which is best, at what cost, with what certainty.",
    discussion: """
      Writes results.json, results.csv, results.md, results.tex, report.html and plots/ to the output folder. What is finished there is not run again.

      Example: graft compare Recipes/compare-methods.yaml --output runs/compare
      """)

  @Argument(help: "A recipe (YAML) with methods: and seeds:, or - for standard input.") var recipe: String
  @Argument(help: ArgumentHelp("Settings that stand above the recipe.", valueName: "key.path=value")) var overrides: [String] = []
  @Option(help: ArgumentHelp("The folder of the results (default: the recipe's output_dir).", valueName: "dir")) var output: String?
  @Flag(help: "Replace the comparison in the folder: what it wrote is removed once recipe, data and model have been read.") var overwrite = false
  @Flag(help: "Print the records of results.json as one JSON document on standard output instead of the table.") var json = false
  @OptionGroup var shared: SharedOptions

  func run() throws {
    shared.apply()
    let recipe = try RecipeOptions.read(recipe, overrides: overrides)
    let folder = output ?? recipe.outputDirectory ?? "runs/comparison"
    if !shared.quiet { for remark in recipe.remarks { Console.note("note: \(remark)") } }
    var preparation = PreparationLine(isQuiet: shared.quiet, recipe.readingWords)
    defer { preparation.end() }
    let comparison = try Comparison(recipe, output: folder, isFresh: overwrite) { preparation.show($0) }
    preparation.end()
    Interruption.watch(isQuiet: shared.quiet)
    var reporter = ComparisonReporter(isQuiet: shared.quiet)
    let result = try comparison.run(isInterrupted: { Interruption.isRequested }) { reporter.report($0) }
    guard let result else {
      // The table stays, since it says what is done.
      if !shared.quiet { Console.note("interrupted; the same command goes on where it stopped") }
      throw ExitCode(75)
    }
    reporter.end()
    shared.say(comparison.notes)
    if json {
      Console.output(try TextFile.text(of: folder + "/results.json"))
    } else {
      for line in Self.table(result) { Console.report(line) }
    }
    guard !shared.quiet else { return }
    if let warning = ComparisonText.warning(result) { Console.note("note: \(warning)") }
    for line in ComparisonText.failures(result) { Console.note(line) }
    Console.note("report: \(folder)/report.html".bold)
  }

  /// The table, on a terminal without the columns that there is no room for; the report has them.
  private static func table(_ result: GraftComparison.ComparisonResult) -> [String] {
    var header = ComparisonText.columns(result)
    var rows = result.rows.map { ComparisonText.cells($0, in: result) }
    var lines = TextTable.lines(header: header, rows: rows)
    guard Console.outputIsTerminal else { return lines }
    for column in ["tokens/s", "learning rate", "memory", "training loss", "adapter", "merges", "forgetting", "parameters"]
    where (lines.first?.count ?? 0) > Console.width {
      guard let place = header.firstIndex(of: column) else { continue }
      header.remove(at: place)
      for index in rows.indices { rows[index].remove(at: place) }
      lines = TextTable.lines(header: header, rows: rows)
    }
    return lines
  }
}

/// Says on standard error how a comparison goes: a table that fills in on a terminal, a line a run elsewhere.
struct ComparisonReporter {
  let isQuiet: Bool
  private var methods: [String] = [], seeds: [Int] = []
  private var finished: [ComparisonRecord] = []
  private var current = ""
  private var course = ComparisonCourse()
  private var shownLines = 0
  private var lastDrawing = ContinuousClock.now - .seconds(1)
  private let isTerminal = Console.errorIsTerminal

  init(isQuiet: Bool) { self.isQuiet = isQuiet }

  mutating func report(_ event: ComparisonEvent) {
    guard !isQuiet else { return }
    switch event {
    case .started(let methods, let seeds, let baseName, let runCount):
      (self.methods, self.seeds) = (methods, seeds)
      course.runCount = runCount
      Console.note("\(methods.count) method\(methods.count == 1 ? "" : "s") under \(seeds.count) seed\(seeds.count == 1 ? "" : "s") on \(baseName)")
    case .runStarted(let name, let seed, let rate, let isTrial):
      course.begin()
      current = "\(name), seed \(seed), learning rate \(Figure.compact(rate))\(isTrial ? " (trial)" : "")"
      draw(isDue: true)
    case .training(.stepped(let step, let total, let loss, _, let left)):
      course.secondsLeftOfRun = left
      draw(
        isDue: step == total || ContinuousClock.now - lastDrawing > .milliseconds(200), "step \(step)/\(total)  loss \(Figure.fixed(loss, digits: 4))"
      )
    case .training: break
    case .progress(let progress):
      guard ContinuousClock.now - lastDrawing > .milliseconds(200) else { return }
      draw(isDue: true, "\(progress.part.words) \(progress.done)/\(progress.total)")
    case .note(let text): note("note: \(text)")
    case .chose(let name, let rate): note("\(name): learning rate \(Figure.compact(rate)) chosen on validation examples")
    case .finished(let record, let isReused):
      finished.append(record)
      if record.status != .baseline { course.end(isReused: isReused) }
      guard !isTerminal else { return draw(isDue: true) }
      let seed = record.status == .baseline ? "" : " seed \(record.seed)" + (record.isTrial ? " trial at \(Figure.compact(record.learningRate))" : "")
      let place = record.status == .baseline ? "" : "[\(course.place)] "
      Console.note("\(place)\(record.name)\(seed): \(Self.outcome(record))\(isReused ? " (from before)" : course.outlook.map { ", \($0)" } ?? "")")
    }
  }

  /// Takes the live table away.
  mutating func end() {
    guard shownLines > 0 else { return }
    Console.status("\u{1B}[\(shownLines)A\u{1B}[J")
    shownLines = 0
  }

  private static func outcome(_ record: ComparisonRecord) -> String {
    switch record.status {
    case .success, .baseline: ComparisonText.metric(record.metric).lowercased() + " " + ComparisonText.score(record.score, record.metric)
    case .failed, .diverged: "\(record.status.rawValue): \(record.message)"
    }
  }

  private mutating func note(_ text: String) {
    end()
    Console.note(text)
    draw(isDue: true)
  }

  private mutating func draw(isDue: Bool, _ progress: String = "") {
    guard isTerminal, isDue else { return }
    lastDrawing = .now
    let rows = (["untouched base"] + methods).map { name -> [String] in
      let done = finished.filter { $0.name == name && !$0.isTrial }
      let cells = seeds.indices.map { index -> String in
        // The base has no seeds.
        if name == "untouched base" && index > 0 { return "" }
        guard let record = name == "untouched base" ? done.first : done.first(where: { $0.seed == seeds[index] }) else { return "·" }
        return record.status == .success || record.status == .baseline ? ComparisonText.score(record.score, record.metric) : record.status.rawValue
      }
      return [name] + cells
    }
    let state = [course.outlook, current, progress].compactMap { $0 }.filter { !$0.isEmpty }
    let lines =
      TextTable.lines(header: ["method"] + seeds.map { "seed \($0)" }, rows: rows)
      + ["run \(course.current)  \(state.joined(separator: "  "))"]
    let width = Console.width
    let erased = shownLines > 0 ? "\u{1B}[\(shownLines)A\u{1B}[J" : ""
    Console.status(erased + lines.map { String($0.printable.prefix(width - 1)) + "\n" }.joined())
    shownLines = lines.count
  }
}
