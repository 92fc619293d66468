import Foundation
import GraftRecipes
import GraftReports
import GraftSessions

/// The report of a comparison: one self-contained page, and its plots as pictures.
struct ComparisonReport {
  private let result: ComparisonResult

  init(_ result: ComparisonResult) { self.result = result }

  func html() throws -> String {
    var sections = [HTMLPage.Section("Methods", "\(table.html)\(reading)")]
    let figures = plots.compactMap { $0.figure }
    if !figures.isEmpty { sections.append(.init("Plots", .plotGrid(figures))) }
    if comparesModels { sections.append(.init("Architectures", .code(drawings))) }
    if !trials.rows.isEmpty { sections.append(.init("Learning rates tried", trials.html)) }
    if let samples { sections.append(.init("Answers side by side", samples)) }
    sections.append(.init("Recipe", .code(try result.recipe.rendered())))
    sections.append(.init("Machine", HTMLTable.pairs(Machine.description)))
    sections.append(.init("Reproduce", .code("graft compare \(result.output)/recipe.yaml --output \(result.output)-again")))
    let methods = result.rows.count - 1
    let seeds = Set(result.runs.map(\.seed)).count
    return HTMLPage(
      title: comparesModels ? result.baseName : "\(methods) methods on \(result.baseName)",
      subtitle: "\(ComparisonText.metric(result.metric)) on \(result.baseline.scores.count) held-out examples, \(seeds) seed\(seeds == 1 ? "" : "s")",
      highlights: highlights, sections: sections
    ).rendered()
  }

  /// The plots as SVG files, by name.
  var pictures: [(name: String, svg: String)] {
    plots.compactMap { plot in
      plot.figure.flatMap { StandalonePicture.svg(of: $0, title: plot.title, legend: plot.legend) }.map { (plot.name, $0) }
    }
  }

  private var highlights: [(label: String, value: String)] {
    guard let best = result.best else { return [] }
    let ties = result.rows.filter(\.isTie).map(\.name)
    return [
      ("Best", best.name), (ComparisonText.metric(result.metric), ComparisonText.score(best.score, result.metric)),
      ("Cannot be told from it", ties.isEmpty ? "none" : ties.joined(separator: ", ")),
      ("Untouched base", ComparisonText.score(result.baseline.score, result.metric)),
    ]
  }

  private var table: HTMLTable {
    let columns = ComparisonText.columns(result)
    return HTMLTable(
      columns: columns.enumerated().map { .init($1, isNumeric: $0 > 0) }, rows: result.rows.map { ComparisonText.cells($0, in: result) },
      emphasizedRows: Set(result.rows.indices.filter { result.rows[$0].isBest }))
  }

  private var reading: HTML {
    var lines = [
      "Intervals hold the mean with 95 % confidence, over seeds and examples (bootstrap, widened for few seeds). "
        + "A tie with the best is a method whose paired difference from it has a 95 % interval with 0 in it."
    ]
    if Set(result.runs.map(\.seed)).count == 1 { lines.append("With a single seed the intervals say nothing of other seeds.") }
    if !result.hasEqualBudgets { lines.append("The methods read different numbers of tokens: their budgets are not equal.") }
    if result.rows.contains(where: { $0.forgetting != nil }) { lines.append("Forgetting is the rise of the loss on texts that the base knew.") }
    lines += ComparisonText.failures(result)
    return "<ul>\(lines.map { HTML("<li>\(text: $0)</li>") })</ul>"
  }

  private var trials: HTMLTable {
    HTMLTable(
      columns: [
        .init("method"), .init("learning rate", isNumeric: true),
        .init("\(ComparisonText.metric(result.metric)) on validation examples", isNumeric: true),
      ],
      rows: result.trials.map {
        [$0.name, Figure.compact($0.learningRate), $0.status == .success ? ComparisonText.score($0.score, result.metric) : $0.status.rawValue]
      })
  }

  /// The answers of the methods to the same prompts, under the first seed.
  private var samples: HTML? {
    let prompts = result.baseline.answers.prefix(4)
    guard !prompts.isEmpty else { return nil }
    let firsts = result.rows.dropFirst().compactMap { row in result.runs.first { $0.name == row.name && !$0.answers.isEmpty } }
    let parts = prompts.enumerated().map { index, base in
      let answers = [("untouched base", base.answer)] + firsts.compactMap { index < $0.answers.count ? ($0.name, $0.answers[index].answer) : nil }
      let rows = ([("Prompt", base.prompt), ("Expected", base.expected)] + answers).map { label, text in
        HTML("<div><div>\(text: label)</div><div class=\"verbatim\">\(text: text.trimmingCharacters(in: .whitespacesAndNewlines))</div></div>\n")
      }
      return HTML("<div class=\"sample\">\n\(rows)</div>\n")
    }
    return "\(parts)"
  }
}

/// A plot of the report with what its file is called.
private struct NamedPlot {
  var name: String
  var title: String
  var legend: [String] = []
  var figure: HTML?
}

extension ComparisonReport {
  /// True where methods train other models than each other.
  private var comparesModels: Bool { Set(result.runs.compactMap { $0.architecture.isNull ? nil : $0.architecture.serialized() }).count > 1 }

  /// The architectures side by side.
  private var drawings: String {
    let known = result.rows.dropFirst().compactMap { row in
      result.runs.first { $0.name == row.name && !$0.architecture.isNull }.map { (row.name, Architecture(json: $0.architecture)) }
    }
    return Architecture.text(known.map(\.1), titles: known.map(\.0))
  }

  private var trained: [ComparisonResult.Row] { result.rows.dropFirst().filter { $0.score.isFinite } }

  private var plots: [NamedPlot] {
    [learningCurves, lossByTime] + (comparesModels ? [lossByTokens, cache] : []) + [pareto] + sweeps + [seconds, memory, sizes]
  }

  private var learningCurves: NamedPlot {
    let hasSeeds = trained.contains { successes(of: $0).count > 1 }
    let title = "Training loss" + (hasSeeds ? ", mean and range over seeds" : "")
    return curves("learning-curves", title, "step", hasRange: true) { Double($0.step) }
  }

  private var lossByTime: NamedPlot { curves("loss-by-time", "Training loss by time", "seconds") { $0.seconds } }
  private var lossByTokens: NamedPlot { curves("loss-by-tokens", "Training loss by tokens", "tokens") { Double($0.tokens) } }

  /// The mean loss over seeds against the mean of something else.
  /// - Parameter hasRange: true for the large plot, which shows the range over seeds.
  private func curves(
    _ name: String, _ title: String, _ xLabel: String, hasRange: Bool = false, _ x: (ComparisonRecord.Point) -> Double
  ) -> NamedPlot {
    let series = trained.compactMap { row -> LinePlot.Series? in
      let runs = successes(of: row)
      guard let length = runs.map(\.points.count).min(), length > 0 else { return nil }
      let places = (0..<length).map { place in runs.map { $0.points[place] } }
      return LinePlot.Series(
        row.name, places.map { .init(x: ScoreTable.mean($0.map(x)), y: ScoreTable.mean($0.map(\.loss))) },
        band: hasRange && runs.count > 1 ? places.map { ($0.map(\.loss).min() ?? 0)...($0.map(\.loss).max() ?? 0) } : nil)
    }
    return NamedPlot(
      name: name, title: title, legend: series.map(\.name),
      figure: LinePlot(title: title, xLabel: xLabel, series: series, isSpanning: hasRange).html)
  }

  /// The runs of a method that have a curve.
  private func successes(of row: ComparisonResult.Row) -> [ComparisonRecord] {
    result.runs.filter { $0.name == row.name && $0.status == .success && !$0.points.isEmpty }
  }

  /// The memory that generation takes for a sequence, by its length.
  private var cache: NamedPlot {
    let title = "Cache of one sequence, kB in float32"
    let series = trained.compactMap { row in
      result.runs.first { $0.name == row.name && !$0.cache.isEmpty }.map { run in
        LinePlot.Series(row.name, run.cache.map { .init(x: Double($0.length), y: Double($0.bytes) / 1e3) }, hasMarkers: true)
      }
    }
    return NamedPlot(
      name: "cache-by-length", title: title, legend: series.map(\.name),
      figure: LinePlot(title: title, xLabel: "tokens", series: series, includesZero: true).html)
  }

  private var pareto: NamedPlot {
    let title = "\(ComparisonText.metric(result.metric)) by trained parameters"
    let plot = ScatterPlot(
      title: title, xLabel: "trained parameters", isLogarithmic: true,
      points: trained.enumerated().map { .init($1.name, x: Double(max(1, $1.trainableParameters)), y: $1.score, series: $0) })
    return NamedPlot(name: "pareto", title: title, figure: plot.html)
  }

  /// A curve for every key whose values were compared.
  private var sweeps: [NamedPlot] {
    let keys = trained.compactMap { $0.swept?.key }.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    return keys.map { key in
      let rows = trained.filter { $0.swept?.key == key }
      let families = rows.compactMap { $0.swept?.family }.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
      let series = families.map { family in
        let members = rows.filter { $0.swept?.family == family }.sorted { ($0.swept?.value ?? 0) < ($1.swept?.value ?? 0) }
        return LinePlot.Series(
          family, members.map { .init(x: $0.swept?.value ?? 0, y: $0.score) }, hasMarkers: true,
          band: members.map { $0.interval ?? $0.score...$0.score })
      }
      let title = "\(ComparisonText.metric(result.metric)) by \(key)"
      let isLogarithmic = rows.allSatisfy { ($0.swept?.value ?? 0) > 0 }
      return NamedPlot(
        name: "by-\(key)", title: title, legend: series.map(\.name),
        figure: LinePlot(title: title, xLabel: key, series: series, isLogarithmic: isLogarithmic).html)
    }
  }

  private var seconds: NamedPlot { bars("seconds", "Training time, seconds") { $0.seconds } }
  private var memory: NamedPlot { bars("memory", "Peak memory, MB") { Double($0.peakMemoryBytes) / 1e6 } }
  private var sizes: NamedPlot { bars("adapter-size", "Adapter, kB") { Double($0.adapterBytes) / 1e3 } }

  private func bars(_ name: String, _ title: String, _ value: (ComparisonResult.Row) -> Double) -> NamedPlot {
    NamedPlot(
      name: name, title: title,
      figure: BarPlot(title: title, bars: trained.enumerated().map { .init($1.name, value($1), series: $0) }).html)
  }
}
