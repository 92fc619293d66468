import ArgumentParser
import Foundation
import GraftCheckpoints
import GraftErrors
import GraftRecipes
import GraftSessions

/// Looks at the data of a recipe before anything is trained.
struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Look at data as training sees it: lengths, what is cut, faults with their lines, some examples.",
    discussion: """
      Example: graft data Recipes/quickstart.yaml
      Example: graft data my-data.jsonl --model Data/models/seedling --html data.html

      No weight is read. The exit code is 65 where training would refuse a record.
      """)

  @OptionGroup var source: RecipeOptions
  @Option(help: ArgumentHelp("Examples to show of each part.", valueName: "n")) var examples = 3
  @Option(help: ArgumentHelp("Write the report as a page, too.", valueName: "file")) var html: String?
  @Flag(help: "Print one JSON document.") var json = false
  @OptionGroup var shared: SharedOptions

  func validate() throws {
    guard (0...1000).contains(examples) else { throw ValidationError("--examples: is \(examples); it must be from 0 to 1000") }
  }

  func run() throws {
    shared.apply()
    let recipe = try source.resolved()
    if !shared.quiet { for remark in recipe.remarks { Console.note("note: \(remark)") } }
    let report = try DataReport(recipe, shownCount: examples)
    if json {
      Console.output(report.json.serialized())
    } else {
      for line in DataText(report).lines { Console.report(line) }
    }
    if let html {
      try AtomicFile.write(Array(report.html().utf8), to: html)
      if !shared.quiet { Console.note("written: \(html)") }
    }
    if report.review.isRefused { throw ExitCode(ErrorStatus.malformedInput.rawValue) }
  }
}
