import ArgumentParser
import GraftAdapters
import GraftConfiguration
import GraftRecipes

/// Lists the methods, explains one, or prints the page that documents them, from the code.
struct Methods: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the methods of fine-tuning, or explain one with its keys.", discussion: "Example: graft methods LORA")

  @Argument(help: "A method (peft_type) to explain.") var name: String?
  @Flag(help: "Print the page of all methods in Markdown instead.") var markdown = false

  func run() throws {
    if markdown { return Console.output(String(MethodCatalog.documentation.dropLast())) }
    guard let name else {
      let width = MethodCatalog.names.map(\.count).max() ?? 0
      for method in MethodCatalog.all {
        Console.output("\(method.name.padding(toLength: width, withPad: " ", startingAt: 0))  \(method.card.title)")
      }
      return
    }
    guard let method = MethodCatalog.type(named: name) else {
      throw ConfigError(location: nil, path: [name], problem: "no method", advice: NearestName.advice(for: name, among: MethodCatalog.names))
    }
    let card = method.card
    Console.output(
      """
      \(method.name): \(card.title)
        computes        \(Self.plain(card.formula))
        trained values  \(Self.plain(card.parameters))
        where           \(Self.plain(card.seam))
        learning rate   \(method.defaultLearningRate)
        source          \(card.source)

      The keys beside peft_type, with their defaults in a recipe:

      \(RecipeReference.defaults(of: method))
      """)
  }

  /// The same without Markdown's marks of code.
  private static func plain(_ text: String) -> String { text.filter { $0 != "`" } }
}
