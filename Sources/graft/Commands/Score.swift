import ArgumentParser
import GraftRecipes
import GraftSessions

struct Score: ModelCommand {
  static let configuration = CommandConfiguration(
    abstract: "The log-probability of every token of every example, as JSON Lines.",
    discussion: "Example: graft score --model Data/models/seedling --data Data/instructions/eval.jsonl")

  @OptionGroup var model: ModelOptions
  @Option(help: ArgumentHelp("A data file.", valueName: "file")) var data: String
  @Option(help: ArgumentHelp("The most tokens read at once; longer texts are read in windows (default: the model's positions).", valueName: "n"))
  var maxLength: Int?
  @OptionGroup var layout: LayoutOptions
  @OptionGroup var shared: SharedOptions

  func validate() throws { try LengthOption.check(maxLength) }

  func compute() throws {
    let session = try model.session()
    layout.apply(to: session)
    try session.scores(of: data, maxLength: maxLength) { Console.output($0.json.serialized()) }
    shared.say(session.notes)
  }
}
