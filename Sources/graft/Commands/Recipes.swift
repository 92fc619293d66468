import ArgumentParser
import Foundation
import GraftCheckpoints
import GraftConfiguration
import GraftRecipes

/// Lists, shows and copies the recipes that come with the program.
struct Recipes: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the shipped recipes, show one, or copy one to begin from.", discussion: "Example: graft recipes copy quickstart mine.yaml",
    subcommands: [List.self, Show.self, Copy.self], defaultSubcommand: List.self)

  fileprivate static func shipped() throws -> ShippedRecipes {
    try ShippedRecipes(of: Bundle.main.executableURL ?? URL(fileURLWithPath: CommandLine.arguments[0]))
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "The names of the recipes, each with what it is for.")

    func run() throws {
      let recipes = try Recipes.shipped()
      let names = try recipes.names
      let width = names.map(\.count).max() ?? 0
      for name in names {
        Console.output("\(name.padding(toLength: width, withPad: " ", startingAt: 0))  \(try recipes.summary(of: name))")
      }
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "The text of a recipe.")

    @Argument(help: "The name of a recipe.") var name: String

    func run() throws { Console.output(try Recipes.shipped().text(of: name).trimmingCharacters(in: .newlines)) }
  }

  struct Copy: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Write a recipe to a file of one's own, in which the shipped data and models have their whole paths.")

    @Argument(help: "The name of a recipe.") var name: String
    @Argument(help: "The file (default: the name with .yaml, here).") var file: String?
    @Flag(help: "Replace a file that is there.") var overwrite = false

    func run() throws {
      let path = file ?? (name.hasSuffix(".yaml") ? name : name + ".yaml")
      let text = try Recipes.shipped().copied(name)
      guard overwrite || !FileManager.default.fileExists(atPath: path) else {
        throw ConfigError(location: nil, path: [path], problem: "the file is there already", advice: "name another, or give --overwrite")
      }
      try AtomicFile.write(Array(text.utf8), to: path)
      Console.note("written: \(path); run it with: graft \(text.contains("\nmethods:") ? "compare" : "train") \(path)")
    }
  }
}
