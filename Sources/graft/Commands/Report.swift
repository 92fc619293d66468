import ArgumentParser
import Foundation
import GraftComparison
import GraftJSON
import GraftSessions
import Rainbow

struct Report: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Put runs beside one another on one page, with figures and tables for slides and papers.",
    discussion: """
      Writes report.html, runs.md, runs.tex and plots/ to the output folder, and prints the table. With --png figures are PNG files, too, which \
      takes rsvg-convert (Debian's librsvg2-bin); given the folder of a comparison or of a report, it draws those of its plots/.

      Example: graft report runs/quickstart runs/other --output runs/report
      Example: graft report runs/compare-methods --png
      """)

  @Argument(help: ArgumentHelp("Run directories; with --png also the folder of a comparison or a report.", valueName: "run")) var runs: [String]
  @Option(help: ArgumentHelp("The folder of the report.", valueName: "dir")) var output = "runs/report"
  @Flag(help: "Replace the report in the folder.") var overwrite = false
  @Flag(help: "Draw the figures as PNG files, too.") var png = false
  @Flag(help: "Print the runs' summaries as one JSON document on standard output instead of the table.") var json = false
  @OptionGroup var shared: SharedOptions

  func run() throws {
    let converter = png ? try PictureConverter() : nil
    if let converter, runs.count == 1, FileManager.default.fileExists(atPath: runs[0] + "/plots"),
      !FileManager.default.fileExists(atPath: runs[0] + "/summary.json")
    {
      return try draw(with: converter, in: runs[0])
    }
    let report = try RunsReport(runs)
    try report.write(to: output, isFresh: overwrite)
    if let converter { try draw(with: converter, in: output) }
    if json {
      Console.output(JSON.array(report.runs.map { ["run": .string($0.path), "summary": $0.summary] }).serialized())
    } else {
      for line in TextTable.lines(header: report.lines.header, rows: report.lines.rows) { Console.report(line) }
    }
    shared.say(report.notes)
    if !shared.quiet { Console.note("report: \(output)/report.html".bold) }
  }

  private func draw(with converter: PictureConverter, in folder: String) throws {
    let count = try converter.convert(in: folder + "/plots")
    if !shared.quiet { Console.note("\(count) figures: \(folder)/plots/*.png") }
  }
}
