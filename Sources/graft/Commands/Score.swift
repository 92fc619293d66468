import ArgumentParser
import GraftRecipes

struct Score: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "The log-probability of every token of every example, as JSON Lines.",
    discussion: "Example: graft score --model Data/models/seedling --data Data/instructions/eval.jsonl")

  @OptionGroup var model: ModelOptions
  @Option(help: ArgumentHelp("A data file.", valueName: "file")) var data: String
  @OptionGroup var shared: SharedOptions

  func run() throws {
    shared.apply()
    let session = try model.session()
    try session.scores(of: data) { Console.output($0.json.serialized()) }
  }
}
