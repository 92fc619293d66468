import ArgumentParser
import GraftRecipes
import GraftSessions

struct Estimate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "What a recipe's run would take: memory and time, before any of it.",
    discussion: """
      Example: graft estimate Recipes/quickstart.yaml training.batch_size=64

      Memory is resident memory. The data is encoded, and a few layers of a step are computed on this machine, without reading weights.
      """)

  @OptionGroup var source: RecipeOptions
  @Flag(help: "Print one JSON document.") var json = false
  @OptionGroup var shared: SharedOptions

  func run() throws {
    shared.apply()
    let recipe = try source.resolved()
    try recipe.requireSingleRun()
    var counting = CountingLine(isQuiet: shared.quiet)
    let preview = try RunPreview(recipe) { counting.show($0, of: $1) }
    counting.end()
    shared.say(preview.notes)
    let estimate = try preview.estimate()
    if json { Console.output(estimate.json.serialized()) } else { Console.report(estimate.text) }
  }
}
