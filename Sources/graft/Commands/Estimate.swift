import ArgumentParser
import GraftRecipes
import GraftSessions

struct Estimate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "What a recipe's run would take: memory and time, before any of it.",
    discussion: """
      Example: graft estimate Recipes/quickstart.yaml training.batch_size=64

      Memory is resident memory (VmHWM), as in every report. It is told by a rehearsal, in which the run takes and gives back memory without
      computing anything; the time by a few layers of a step, computed on this machine.
      """)

  @Argument(help: "A recipe (YAML).") var recipe: String
  @Argument(help: ArgumentHelp("Settings that stand above the recipe.", valueName: "key.path=value")) var overrides: [String] = []
  @Flag(help: "Print one JSON document.") var json = false
  @OptionGroup var shared: SharedOptions

  func run() throws {
    shared.apply()
    let recipe = try Recipe(file: recipe, overrides: overrides)
    try recipe.requireSingleRun()
    var preparation = PreparationLine(isQuiet: shared.quiet, recipe.readingWords)
    defer { preparation.end() }
    let preview = try RunPreview(recipe) { preparation.show($0) }
    preparation.end()
    shared.say(preview.notes)
    let estimate = try preview.estimate()
    if json { Console.output(estimate.json.serialized()) } else { Console.report(estimate.text) }
  }
}
