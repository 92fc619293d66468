import Foundation
import GraftDatasets
import GraftFiles
import GraftReports
import GraftSessions
import Rainbow

/// A report on data as lines for a terminal.
struct DataText {
  let report: DataReport

  /// The places that are shown of a finding.
  private static let shownPlaces = 5

  init(_ report: DataReport) { self.report = report }

  var lines: [String] {
    var lines = ["training examples".bold] + facts(report.review.train)
    if let held = report.review.held { lines += ["", "held-out examples".bold] + facts(held) }
    for note in report.notes { lines.append("note: \(note)") }
    for example in report.examples { lines += [""] + self.lines(of: example) }
    lines.append("")
    // Findings, to be acted on, stand last, where the eye is.
    guard !report.review.findings.isEmpty else { return lines + ["nothing was found wrong".green] }
    for finding in report.review.findings.reversed() { lines += self.lines(of: finding) }
    return lines
  }

  private func facts(_ part: DataReview.Part) -> [String] {
    let facts = report.facts(of: part)
    let width = facts.map(\.name.count).max() ?? 0
    return facts.map { "  \($0.name.padding(toLength: width, withPad: " ", startingAt: 0))  \($0.words)" }
  }

  private func lines(of finding: DataFinding) -> [String] {
    let title = "\(finding.kind.title): \(Figure.grouped(finding.count))"
    let shown = finding.places.prefix(finding.kind.isFatal ? 4 * Self.shownPlaces : Self.shownPlaces)
    var lines = [(finding.kind.isFatal ? title.red : title.yellow).bold + "; \(finding.kind.advice)"]
    lines += shown.map { "  \($0.name)\($0.isHeldOut ? " (held out)" : "")\($0.detail.map { ": \($0.printable)" } ?? "")" }
    if finding.count > shown.count { lines.append("  and \(Figure.grouped(finding.count - shown.count)) more") }
    return lines
  }

  /// An example with what is trained in colour, or between marks where there are no colours.
  private func lines(of example: RenderedExample) -> [String] {
    let place = example.place.name + (example.place.isHeldOut ? " (held out)" : "")
    let label = example.label.map { ", label \($0)" } ?? ""
    var lines = ["\(place)".bold + ", \(example.tokenCount) tokens\(label):"]
    if let source = example.source { lines += Self.indented(source) + ["  →"] }
    let hasColours = Console.outputIsTerminal && "a".green != "a"
    let text = example.parts.map { part -> String in
      guard part.isTrained else { return part.text }
      // A colour ends with its line.
      return hasColours
        ? part.text.split(separator: "\n", omittingEmptySubsequences: false).map { $0.isEmpty ? "" : String($0).green }.joined(separator: "\n")
        : "«\(part.text)»"
    }
    return lines + Self.indented(text.joined())
  }

  /// The lines of a text as they are, a few of a long one.
  private static func indented(_ text: String) -> [String] {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { "  " + $0 }
    return lines.count > 40 ? lines.prefix(30) + ["  … \(lines.count - 38) lines …"] + lines.suffix(8) : lines
  }
}
