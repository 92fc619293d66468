import ArgumentParser
import GraftRecipes

/// Prints the JSON Schema of recipes, or the page of reference.
struct Schema: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "The JSON Schema of recipes, with which editors complete and check them.", discussion: "Example: graft schema > recipe.schema.json")

  @Flag(help: "Print the reference of all keys in Markdown instead.") var markdown = false

  func run() { Console.output(markdown ? String(RecipeReference.page().dropLast()) : RecipeReference.schema().serialized(pretty: true)) }
}
