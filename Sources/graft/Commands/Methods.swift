import ArgumentParser
import GraftAdapters

/// Prints the page that documents the methods, from the code.
struct Methods: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "The methods as a table in Markdown.", discussion: "Example: graft methods > Documentation/Methods.md", shouldDisplay: false)

  func run() { Console.output(String(MethodCatalog.documentation.dropLast())) }
}
