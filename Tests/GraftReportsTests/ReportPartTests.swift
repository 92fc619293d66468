import Foundation
import GraftReports
import Testing

@Suite struct ReportPartTests {
  private func curve(_ title: String, _ values: [Double], mayBeLogarithmic: Bool = false) -> LinePlot {
    LinePlot(
      title: title, series: [.init("a", values.enumerated().map { .init(x: Double($0), y: $1) })], maySpanFactors: mayBeLogarithmic)
  }

  /// Rows of two leave no place empty if an odd one has a row for itself.
  @Test(arguments: [1, 2, 3, 4, 5]) func gridsHaveNoHoles(count: Int) {
    let empty = LinePlot(title: "nothing", series: [])
    let grid = HTML.plotGrid((0..<count).map { curve("\($0)", [1, 2, 3]) } + [empty]).description
    let figures = grid.matches(of: /<figure class="plot( spanning)?">/)
    #expect(figures.count == count)
    let spanning = figures.indices.filter { figures[$0].output.1 != nil }
    #expect(spanning == (count % 2 == 1 ? [0] : []))
    #expect(HTML.plotGrid([empty]).description.isEmpty)
  }

  @Test func axesAreLogarithmicWhereValuesLieFactorsApart() throws {
    let far = try #require(curve("loss", [8, 0.5, 0.01], mayBeLogarithmic: true).html).description
    #expect(far.contains(">logarithmic</span>"))
    for label in ["10", "1", "0.1", "0.01"] { #expect(far.contains(">\(label)</text>"), "\(label)") }
    #expect(try !#require(curve("loss", [8, 4, 2], mayBeLogarithmic: true).html).description.contains("logarithmic"))
    #expect(try !#require(curve("loss", [8, 0.5, 0], mayBeLogarithmic: true).html).description.contains("logarithmic"))
    #expect(try !#require(curve("loss", [8, 0.5, 0.01]).html).description.contains("logarithmic"))
    #expect(PlotScale(holding: [1.5, 30], reachesTicks: true, isLogarithmic: true).tickLabels == ["1", "2", "5", "10", "20", "50"])
  }

  @Test func unitsAreTold() {
    #expect(PlotScale(holding: [0.13, 0.87], reachesTicks: true, unit: .percent).tickLabels == ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"])
    #expect(PlotScale(holding: [0.991, 0.994], reachesTicks: true, unit: .percent).tickLabels.first == "99.1 %")
    #expect(PlotScale(holding: [0, 90_900_000], reachesTicks: true, unit: .bytes).tickLabels == ["0", "20 MB", "40 MB", "60 MB", "80 MB", "100 MB"])
    #expect(MetricFigure.text(0.5, of: "eval_token_accuracy") == "50.0 %" && MetricFigure.text(0.5, of: "eval_f1") == "0.5000")
    #expect(MetricFigure.text(0.25...0.5, of: "exact_match") == "25.0 – 50.0" && MetricFigure.title("eval_exact_match") == "Exact match")
  }

  @Test func intervalsStandBesidePoints() throws {
    let points = ScatterPlot(
      title: "p", xLabel: "n", unit: .percent, points: [.init("a", x: 1, y: 0.5, interval: 0.4...0.6), .init("b", x: 2, y: 0.7)])
    #expect(try #require(points.html).description.matches(of: /class="whisker"/).count == 1)
    let measured = LinePlot(
      title: "m", series: [.init("a", [.init(x: 1, y: 1), .init(x: 2, y: 2)], hasMarkers: true, band: [0.5...1.5, 2...2])])
    #expect(try #require(measured.html).description.matches(of: /class="whisker"/).count == 1)
  }

  @Test func classesAreCounted() throws {
    let classes = ClassReport(
      names: ["bad", "good <b>"], counts: [[3, 1], [2, 2]], mistakes: [.init(text: "not \"bad\"", actual: 1, predicted: 0, probability: 0.987)])
    let lines = classes.lines
    let precisions: [Double?] = [0.6, 2.0 / 3]
    let recalls: [Double?] = [0.75, 0.5]
    let means: [Double?] = [6.0 / 9, 4.0 / 7]
    #expect(lines.map(\.count) == [4, 4])
    #expect(lines.map(\.precision) == precisions)
    #expect(lines.map(\.recall) == recalls)
    #expect(lines.map(\.f1) == means)
    let page = TrainingReport(title: "t", subtitle: "", points: [], evaluations: [], classes: classes, recipe: "a: 1").html()
    #expect(page.contains("<td class=\"number\">60.0 %</td><td class=\"number\">75.0 %</td><td class=\"number\">66.7 %</td>"))
    #expect(page.contains("var(--series-0) 75%") && page.contains("var(--series-1) 25%"))
    #expect(page.contains("not &quot;bad&quot;") && page.contains("<td>good &lt;b&gt;</td><td>bad</td><td class=\"number\">98.7 %</td>"))
    let right = ClassReport(names: ["a", "b"], counts: [[1, 0], [0, 0]], mistakes: [])
    #expect(right.lines[1].precision == nil && right.lines[1].recall == nil && right.lines[1].f1 == nil)
  }

  @Test func changeIsThatOfTheResult() {
    var report = TrainingReport(
      title: "t", subtitle: "", points: [],
      evaluations: [
        .init(step: 0, epoch: 0, loss: 3, metrics: [("eval_accuracy", 0.25)]), .init(step: 10, epoch: 1, loss: 1, metrics: [("eval_accuracy", 0.75)]),
        .init(step: 20, epoch: 2, loss: 2, metrics: [("eval_accuracy", 0.5)]),
      ], resultStep: 10, recipe: "a: 1")
    let row = { (page: String) in page.firstMatch(of: /accuracy<\/th><td class="number">([^<]*)<\/td><td class="number">([^<]*)<\/td>/)?.output }
    #expect(row(report.html())?.1 == "25.0 %" && row(report.html())?.2 == "75.0 %")
    report.evaluations.removeFirst()
    #expect(!report.html().contains("Before and after"))
  }

  @Test func picturesHavePlainColoursAndTheirNames() throws {
    let series = ["a <1>", "b"].map { LinePlot.Series($0, [.init(x: 0, y: 1), .init(x: 1, y: 2)]) }
    let picture = try #require(StandalonePicture(LinePlot(title: "Loss & more", series: series), name: "loss"))
    #expect(picture.name == "loss" && picture.svg.hasPrefix("<svg xmlns=\"http://www.w3.org/2000/svg\""))
    #expect(!picture.svg.contains("var(") && !picture.svg.contains("@media"))
    #expect(picture.svg.contains(">Loss &amp; more</text>") && picture.svg.contains(">a &lt;1&gt;</text>"))
    #expect(picture.svg.contains(".s0 { color: #0067a5; }") && picture.svg.contains("class=\"paper\""))
    let parser = XMLCheck(picture.svg)
    #expect(parser.isBalanced)
    #expect(StandalonePicture(LinePlot(title: "t", series: []), name: "t") == nil)
  }

  @Test func tablesAreWrittenForPapers() {
    let table = HTMLTable(
      columns: [.init("method"), .init("95 % interval", isNumeric: true)], rows: [["LoRA_r|2", "1.0 – 2.0"], ["a & b", ""]], emphasizedRows: [0])
    #expect(
      table.markdown == "| method | 95 % interval |\n| --- | ---: |\n| **LoRA\\_r\\|2** | **1.0 – 2.0** |\n| a & b |  |\n")
    #expect(
      table.latex == """
        % \\usepackage{booktabs}
        \\begin{tabular}{lr}
        \\toprule
        method & 95 \\% interval \\\\
        \\midrule
        \\textbf{LoRA\\_r|2} & \\textbf{1.0 -- 2.0} \\\\
        a \\& b &  \\\\
        \\bottomrule
        \\end{tabular}

        """)
  }

  @Test func commandsAreQuotedForAShell() {
    #expect(ShellText.line(["graft", "train", "runs/a b/it's"]) == "graft train 'runs/a b/it'\\''s'")
    #expect(ShellText.line(["runs/x-1_2.yaml", ""]) == "runs/x-1_2.yaml ''")
  }
}

/// Tells whether every element of a markup is closed, in order.
private struct XMLCheck {
  let isBalanced: Bool

  init(_ markup: String) {
    var open: [Substring] = []
    var isOrdered = true
    for tag in markup.matches(of: /<(\/?)([a-z]+)[^>]*?(\/?)>/) where tag.output.3.isEmpty {
      if tag.output.1.isEmpty { open.append(tag.output.2) } else { isOrdered = isOrdered && open.popLast() == tag.output.2 }
    }
    isBalanced = isOrdered && open.isEmpty
  }
}
