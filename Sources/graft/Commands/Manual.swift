import ArgumentParser
import GraftJSON

/// Prints the manual page of the program and all its commands, from the parser.
struct Manual: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "The manual page, as man reads it.", discussion: "Example: graft manual | man -l -", shouldDisplay: false)

  func run() throws {
    let parser = try JSON(parsing: GraftCommand._dumpHelp())
    Console.output(ManualPage(of: parser["command"] ?? .null, version: GraftCommand.configuration.version).text)
  }
}
