import Foundation
import GraftCheckpoints
import GraftReports
import GraftSessions

extension RunsReport {
  /// Writes `report.html`, the table as `runs.md` and `runs.tex`, and the pictures to a folder.
  ///
  /// - Parameter isFresh: true where an earlier report in it is replaced.
  /// - Throws: `CheckpointError` where the folder holds something else, or files cannot be written.
  public func write(to folder: String, isFresh: Bool) throws {
    let page = try html()
    let claim = try OutputClaim(folder, files: .ofReport, use: isFresh ? .overwritten : .refused)
    try claim.take()
    try AtomicFile.write(page.utf8, to: folder + "/report.html")
    try AtomicFile.write(table.markdown.utf8, to: folder + "/runs.md")
    try AtomicFile.write(table.latex.utf8, to: folder + "/runs.tex")
    try createDirectory(folder + "/plots")
    for picture in pictures { try AtomicFile.write(picture.svg.utf8, to: "\(folder)/plots/\(picture.name).svg") }
  }

  /// The report as one self-contained page.
  func html() throws -> String {
    var sections = [HTMLPage.Section("Runs", "\(table.html)\(HTML.list(notes))")]
    let figures = plots.map(\.plot).filter { $0.html != nil }
    if !figures.isEmpty { sections.append(.init("Plots", .plotGrid(figures))) }
    if let differences = try differences() { sections.append(.init("In which the recipes differ", differences.html)) }
    sections.append(
      .init(
        "Reproduce",
        .code(
          runs.map { run in
            ShellText.line(["graft", "train", run.path + "/recipe.yaml", "--output", run.path + "-again"])
          }.joined(separator: "\n"))))
    let models = Set(runs.compactMap { $0.summary["model"]?.string })
    return HTMLPage(
      title: runs.count == 1 ? runs[0].name : "\(runs.count) runs", subtitle: models.sorted().joined(separator: ", "), sections: sections
    ).rendered()
  }

  /// The plots as pictures, under the names of their files.
  var pictures: [StandalonePicture] { plots.compactMap { StandalonePicture($0.plot, name: $0.name) } }

  private var plots: [NamedPlot] {
    let losses = curves("training-loss", "Training loss", hasMarkers: false) { run in run.points.map { .init(x: Double($0.step), y: $0.loss) } }
    let held = curves("held-out-loss", "Held-out loss") { run in run.evaluations.map { .init(x: Double($0.step), y: $0.loss) } }
    return [results, losses, held] + metrics
      + [
        bars("seconds", "Training time, seconds", .none, "wall_seconds"), bars("memory", "Peak memory", .bytes, "peak_memory_bytes"),
        bars("parameters", "Trained parameters", .none, "trainable_parameters"),
      ].compactMap { $0 }
  }

  /// The metric of every run with its interval.
  private var results: NamedPlot {
    let bars = runs.enumerated().compactMap { index, run in
      run.value(metric).map { BarPlot.Bar(run.name, $0, interval: run.interval(metric), series: index) }
    }
    let hasIntervals = bars.contains { $0.interval != nil }
    return NamedPlot("results", BarPlot(title: metricTitle + (hasIntervals ? ", 95 % intervals" : ""), unit: MetricFigure.unit(metric), bars: bars))
  }

  /// A plot for every metric that was measured more than twice in some run.
  private var metrics: [NamedPlot] {
    let names = runs.flatMap(\.evaluations).flatMap(\.metrics).map(\.name).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    return names.compactMap { name in
      let plot = curves(
        MetricFigure.words(name).replacingOccurrences(of: " ", with: "-"), MetricFigure.title(name), unit: MetricFigure.unit(name)
      ) { run in
        run.evaluations.compactMap { evaluation in
          evaluation.metrics.first { $0.name == name }.map { LinePlot.Point(x: Double(evaluation.step), y: $0.value) }
        }
      }
      return (plot.plot as? LinePlot)?.length ?? 0 > 2 ? plot : nil
    }
  }

  private func curves(
    _ name: String, _ title: String, unit: PlotUnit = .none, hasMarkers: Bool = true, _ points: (FinishedRun) -> [LinePlot.Point]
  ) -> NamedPlot {
    let series = runs.map { LinePlot.Series($0.name, points($0), hasMarkers: hasMarkers) }
    return NamedPlot(name, LinePlot(title: title, series: series, smooths: !hasMarkers, maySpanFactors: unit == .none, unit: unit))
  }

  private func bars(_ name: String, _ title: String, _ unit: PlotUnit, _ key: String) -> NamedPlot? {
    let bars = runs.enumerated().compactMap { index, run in run.summary[key]?.double.map { BarPlot.Bar(run.name, $0, series: index) } }
    return bars.count > 1 ? NamedPlot(name, BarPlot(title: title, unit: unit, maySpanFactors: true, bars: bars)) : nil
  }
}
