import GraftDatasets
import GraftReports

extension DataReport {
  /// The report as one self-contained page, with the trained part of examples marked.
  public func html() -> String {
    var sections = [HTMLPage.Section("Training examples", HTMLTable.pairs(facts(of: review.train).map { ($0.name, $0.words) }))]
    if let held = review.held { sections.append(.init("Held-out examples", HTMLTable.pairs(facts(of: held).map { ($0.name, $0.words) }))) }
    sections.append(.init("Findings", review.findings.isEmpty ? "<p>None.</p>" : "\(review.findings.map(Self.html(of:)))"))
    sections.append(.init("Charts", HTML.plotGrid([lengthPlot, labelPlot])))
    if !notes.isEmpty { sections.append(.init("Notes", "<ul>\(notes.map { HTML("<li>\(text: $0)</li>") })</ul>")) }
    if !examples.isEmpty {
      sections.append(.init("Examples", "<p>What is marked carries the loss.</p>\(examples.map(Self.html(of:)))"))
    }
    return HTMLPage(
      title: "Data for \(modelName)", subtitle: "\(task.rawValue), \(review.train.files.joined(separator: ", "))", highlights: highlights,
      sections: sections
    ).rendered()
  }

  private var highlights: [(label: String, value: String)] {
    let train = review.train
    var highlights = [("Examples", Figure.grouped(train.exampleCount)), ("Tokens", Figure.compact(Double(train.report.tokenCount)))]
    if let maxLength = review.maxLength {
      highlights.append(("Longer than max_length", "\(Figure.fixed(100 * train.share(longerThan: maxLength), digits: 1)) %"))
    }
    let refused = review.findings.first { $0.kind.isFatal }?.count ?? 0
    highlights.append(("Refused", Figure.grouped(refused)))
    return highlights.map { (label: $0.0, value: $0.1) }
  }

  private static func html(of finding: DataFinding) -> HTML {
    let shown = 100
    let rows = finding.places.prefix(shown).map { [$0.name + ($0.isHeldOut ? " (held out)" : ""), $0.detail ?? ""] }
    let more = finding.count > shown ? HTML("<p>and \(finding.count - shown) more</p>") : ""
    let table = HTMLTable(columns: [.init("place"), .init("finding")], rows: Array(rows)).html
    return .details("\(finding.kind.title): \(Figure.grouped(finding.count)); \(finding.kind.advice)", "\(table)\(more)")
  }

  /// The share of records that are at most so long.
  private var lengthPlot: any Plot {
    func series(_ name: String, _ part: DataReview.Part) -> LinePlot.Series {
      let shares = (0...50).map { Double($0) / 50 }
      return .init(name, shares.map { .init(x: Double(part.length(keeping: $0)), y: 100 * $0) })
    }
    let all = [series("training", review.train)] + (review.held.map { [series("held out", $0)] } ?? [])
    return LinePlot(title: "Records up to a length, per cent", xLabel: "tokens", series: all, includesZero: true)
  }

  private var labelPlot: any Plot {
    let bars = review.train.labelCounts.prefix(20).map { BarPlot.Bar($0.name, Double($0.count)) }
    return BarPlot(title: "Classes", valueLabel: "examples", bars: Array(bars))
  }

  private static func html(of example: RenderedExample) -> HTML {
    let parts = example.parts.map { $0.isTrained ? HTML("<mark>\(text: $0.text)</mark>") : HTML.text($0.text) }
    var rows: [(String, HTML)] = [("Place", HTML.text(example.place.name + (example.place.isHeldOut ? ", held out" : "")))]
    if let source = example.source { rows.append(("Source", HTML.text(source))) }
    rows.append((example.source == nil ? "Text" : "Target", "\(parts)"))
    if let label = example.label { rows.append(("Label", HTML.text(label))) }
    let lines = rows.map { HTML("<div><div>\(text: $0.0)</div><div class=\"verbatim\">\($0.1)</div></div>\n") }
    return "<div class=\"sample\">\n\(lines)</div>\n"
  }
}
