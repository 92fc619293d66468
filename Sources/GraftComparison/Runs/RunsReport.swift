import Foundation
import GraftRecipes
import GraftReports
import GraftSessions

/// The report of several runs beside one another, which need not have been one comparison.
public struct RunsReport {
  /// The runs, under names of their own.
  public let runs: [FinishedRun]

  /// - Precondition: there is a run.
  public init(_ runs: [FinishedRun]) {
    precondition(!runs.isEmpty, "a report is of runs")
    let names = Dictionary(grouping: runs, by: \.name)
    self.runs = runs.map { run in
      var run = run
      if names[run.name]?.count ?? 0 > 1 { run.name = run.path }
      return run
    }
  }

  /// Reads run directories.
  /// - Throws: what `FinishedRun` throws.
  public init(_ paths: [String]) throws { self.init(try paths.map { try FinishedRun($0) }) }

  /// The metric that all runs have and that says the most.
  var metric: String {
    (RunChange.metrics + ["eval_loss"]).first { name in runs.allSatisfy { $0.value(name) != nil } } ?? "final_loss"
  }

  /// The title of the metric.
  var metricTitle: String { metric == "eval_loss" ? "Held-out loss" : metric == "final_loss" ? "Training loss" : MetricFigure.title(metric) }

  /// One line for every run: its figures, and what it took. The best is set off where there are several.
  var table: HTMLTable {
    let hasIntervals = runs.contains { $0.interval(metric) != nil }
    let figures = ["before", metricTitle.lowercased()] + (hasIntervals ? ["95 % interval"] : [])
    let titles = figures + ["held-out loss", "training loss", "parameters", "memory", "time", "tokens/s"]
    return HTMLTable(
      columns: [.init("run"), .init("model"), .init("method")] + titles.map { .init($0, isNumeric: true) },
      rows: runs.map { cells($0, hasIntervals: hasIntervals) }, emphasizedRows: best.map { [$0] } ?? [])
  }

  private func cells(_ run: FinishedRun, hasIntervals: Bool) -> [String] {
    let summary = run.summary
    func text(_ name: String) -> String { summary[name]?.double.map { MetricFigure.text($0, of: name) } ?? "" }
    var cells = [run.name, summary["model"]?.string ?? "", summary["method"]?.string ?? "", text("initial_" + metric), text(metric)]
    if hasIntervals { cells.append(run.interval(metric).map { MetricFigure.text($0, of: metric) } ?? "") }
    cells += [text("eval_loss"), text("final_loss")]
    cells.append(summary["trainable_parameters"]?.int.map { Figure.grouped($0) } ?? "")
    cells.append(summary["peak_memory_bytes"]?.int.map { Figure.bytes($0) } ?? "")
    cells.append(summary["wall_seconds"]?.double.map { Figure.duration(seconds: $0) } ?? "")
    cells.append(summary["tokens_per_second"]?.double.map { Figure.grouped(Int($0)) } ?? "")
    return cells
  }

  /// The place of the best run; nil where there is one only.
  private var best: Int? {
    guard runs.count > 1 else { return nil }
    let values = runs.map { $0.value(metric) ?? .nan }
    let isHigherBetter = !metric.hasSuffix("loss")
    return values.indices.filter { values[$0].isFinite }.max { isHigherBetter ? values[$0] < values[$1] : values[$0] > values[$1] }
  }

  /// The lines of a table for a terminal, the header first.
  public var lines: (header: [String], rows: [[String]]) { (table.columns.map(\.title), table.rows) }

  /// Remarks for a reader of the figures, a sentence each.
  public var notes: [String] {
    var notes: [String] = []
    let examples = Set(runs.compactMap { $0.summary["identity"]?["evaluation_sha256"]?.string })
    if examples.count > 1 { notes.append("the runs hold out different examples: their figures say little of one another") }
    if runs.contains(where: { $0.interval(metric) != nil }) {
      notes.append("an interval holds the share with 95 % confidence for other examples of this kind; it says nothing of other seeds")
    }
    return notes
  }

  /// The keys of the recipes in which the runs differ; nil where they differ in none.
  func differences() throws -> HTMLTable? {
    var keys: [String] = []
    var values: [String: [String]] = [:]
    for (index, run) in runs.enumerated().dropFirst() {
      for difference in try run.recipe.differences(from: runs[0].recipe) where difference.key != "output_dir" {
        if !keys.contains(difference.key) { keys.append(difference.key) }
        values[difference.key, default: Array(repeating: difference.other, count: runs.count)][index] = difference.value
      }
    }
    guard !keys.isEmpty else { return nil }
    return HTMLTable(columns: [.init("key")] + runs.map { .init($0.name) }, rows: keys.map { [$0] + (values[$0] ?? []) })
  }
}
