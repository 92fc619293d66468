import Foundation

extension TrainingReport {
  /// The report as one self-contained page.
  package func html() -> String {
    var sections: [HTMLPage.Section] = []
    if !notes.isEmpty {
      sections.append(.init("Notes", .list(notes)))
    }
    if let change { sections.append(.init("Before and after", change.html)) }
    if !points.isEmpty || !evaluations.isEmpty {
      sections.append(.init("Curves", "\(HTML.plotGrid(plots))\(numbers)"))
    }
    if let classes { sections.append(.init("Classes", classes.html)) }
    if !expertLoads.isEmpty { sections.append(.init("Expert load", loads)) }
    if !summary.isEmpty { sections.append(.init("Summary", HTMLTable.pairs(summary))) }
    if !samples.isEmpty { sections.append(.init("Samples", "\(samples.map(Self.html))")) }
    sections.append(.init("Recipe", .code(recipe)))
    if !machine.isEmpty { sections.append(.init("Machine", HTMLTable.pairs(machine))) }
    if !commands.isEmpty { sections.append(.init("Reproduce", .code(commands.joined(separator: "\n")))) }
    return HTMLPage(title: title, subtitle: subtitle, highlights: highlights, sections: sections).rendered()
  }

  /// The metrics of the untrained model beside those of the result; nil where one of both was not evaluated.
  private var change: HTMLTable? {
    guard let first = evaluations.first, first.step == 0, let last = evaluations.first(where: { $0.step == resultStep }) ?? evaluations.last,
      last.step > 0
    else { return nil }
    func value(_ name: String, _ evaluation: Evaluation) -> String {
      let value = name == "loss" ? evaluation.loss : evaluation.metrics.first { $0.name == name }?.value
      return value.map { MetricFigure.text($0, of: name) } ?? ""
    }
    return HTMLTable(
      columns: [.init("held-out examples"), .init("before", isNumeric: true), .init("after \(Figure.grouped(last.step)) steps", isNumeric: true)],
      rows: (["loss"] + last.metrics.map(\.name)).map { [MetricFigure.words($0), value($0, first), value($0, last)] })
  }

  /// The plots; one or two values are told by the tables.
  private var plots: [any Plot] {
    let losses = LinePlot(
      title: "Loss",
      series: [
        .init("training", curve { $0.loss }),
        .init("evaluation", evaluations.map { .init(x: Double($0.step), y: $0.loss) }, hasMarkers: true),
      ], smooths: true, maySpanFactors: true)
    let others = [
      LinePlot(title: "Learning rate", series: [.init("learning rate", curve { $0.learningRate })], includesZero: true),
      LinePlot(title: "Gradient norm", series: [.init("gradient norm", curve { $0.gradientNorm })], maySpanFactors: true),
      LinePlot(
        title: "Tokens per second", series: [.init("tokens per second", curve { $0.tokensPerSecond })],
        includesZero: true),
    ]
    return ([losses] + metricPlots + otherPlots + others).filter { $0.length > 2 }
  }

  /// The plots as pictures, under the names of their files.
  package var pictures: [StandalonePicture] {
    plots.compactMap { plot in StandalonePicture(plot, name: plot.title.lowercased().replacingOccurrences(of: " ", with: "-")) }
  }

  /// A plot for every other figure of the log.
  private var otherPlots: [LinePlot] {
    let names = points.flatMap(\.others).map(\.name).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    return names.map { name in
      LinePlot(
        title: MetricFigure.title(name), series: [.init(MetricFigure.words(name), curve { point in point.others.first { $0.name == name }?.value })],
        includesZero: true, smooths: true)
    }
  }

  /// The shares of the experts of every layer on one scale; those of many layers are folded away.
  private var loads: HTML {
    let most = expertLoads.flatMap(\.shares).max() ?? 1
    let plots = expertLoads.compactMap { load in
      HistogramPlot(
        title: load.layer, values: load.shares, expected: 1 / Double(max(1, load.shares.count)), largest: most, entryName: "expert",
        valueName: "of the rows"
      ).html
    }
    let shown = 12
    let rest: HTML = plots.count > shown ? HTML.details("\(plots.count - shown) more layers", .smallPlotGrid(Array(plots.dropFirst(shown)))) : ""
    return """
      <p>The share of its layer's rows, in per cent, that each expert was sent in the last \(text: Figure.grouped(expertLoadSteps)) \
      \(text: expertLoadSteps == 1 ? "step" : "steps"). The line is an even share.</p>
      \(HTML.smallPlotGrid(Array(plots.prefix(shown))))\(rest)
      """
  }

  /// A plot for every metric of the task.
  private var metricPlots: [LinePlot] {
    metricNames.map { name in
      let values = evaluations.compactMap { evaluation in
        evaluation.metrics.first { $0.name == name }.map { LinePlot.Point(x: Double(evaluation.step), y: $0.value) }
      }
      return LinePlot(
        title: MetricFigure.title(name), series: [.init(MetricFigure.words(name), values, hasMarkers: true)],
        maySpanFactors: name.hasSuffix("perplexity"), unit: MetricFigure.unit(name))
    }
  }

  /// The metrics of all evaluations; not all of them measure everything.
  private var metricNames: [String] {
    evaluations.flatMap(\.metrics).map(\.name).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
  }

  private func curve(_ value: (Point) -> Double?) -> [LinePlot.Point] {
    points.compactMap { point in value(point).map { LinePlot.Point(x: Double(point.step), y: $0) } }
  }

  /// The numbers behind the plots, for those who would rather read them: at most 40 lines of the log, and every evaluation.
  private var numbers: HTML {
    let every = max(1, (points.count + 39) / 40)
    let shown = points.enumerated().filter { $0.offset % every == 0 || $0.offset == points.count - 1 }.map(\.element)
    let log = HTMLTable(
      columns: ["step", "epoch", "loss", "learning rate", "gradient norm", "tokens/s"].map {
        .init($0, isNumeric: true)
      },
      rows: shown.map {
        [
          Figure.grouped($0.step), Figure.fixed($0.epoch, digits: 2), Figure.fixed($0.loss, digits: 4),
          Figure.compact($0.learningRate),
          $0.gradientNorm.map { Figure.compact($0) } ?? "", $0.tokensPerSecond.map { Figure.compact($0) } ?? "",
        ]
      })
    let training: HTML = points.isEmpty ? "" : HTML.details("Training log", log.html)
    guard !evaluations.isEmpty else { return training }
    let best = evaluations.indices.min { evaluations[$0].loss < evaluations[$1].loss }
    let table = HTMLTable(
      columns: (["step", "epoch", "loss"] + metricNames.map(MetricFigure.words)).map { .init($0, isNumeric: true) },
      rows: evaluations.map { evaluation in
        [
          Figure.grouped(evaluation.step), Figure.fixed(evaluation.epoch, digits: 2),
          Figure.fixed(evaluation.loss, digits: 4),
        ]
          + metricNames.map { name in evaluation.metrics.first { $0.name == name }.map { MetricFigure.text($0.value, of: name) } ?? "" }
      }, emphasizedRows: best.map { [$0] } ?? [])
    return "\(training)\(HTML.details("Evaluations (the best in bold)", table.html))"
  }

  private static func html(of sample: Sample) -> HTML {
    let parts = [
      ("Prompt", sample.prompt), ("Expected", sample.expected), ("Before", sample.before), ("After", sample.after),
    ]
    let rows = parts.compactMap { label, text in
      text.map { HTML("<div><div>\(text: label)</div><div class=\"verbatim\">\(text: $0)</div></div>\n") }
    }
    return "<div class=\"sample\">\n\(rows)</div>\n"
  }
}
