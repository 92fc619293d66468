import Foundation
import ArgumentParser
import GraftRecipes
import GraftSessions
import GraftBatching
import GraftJSON
import GraftReports

extension LearningTask: ExpressibleByArgument {}

struct Eval: ModelCommand {
  static let configuration = CommandConfiguration(
    abstract: "Loss, perplexity and accuracy on held-out data; exact match of generated answers.",
    discussion: "Example: graft eval runs/quickstart --data Data/instructions/eval.jsonl")

  @OptionGroup var model: ModelOptions
  @Option(help: ArgumentHelp("A data file.", valueName: "file")) var data: String
  @Option(help: ArgumentHelp("The task (default: what the adapter or the checkpoint is for).", valueName: "task")) var task: LearningTask?
  @Option(help: ArgumentHelp("The most tokens read at once; longer texts are read in windows (default: the model's positions).", valueName: "n"))
  var maxLength: Int?
  @Flag(help: "Print one JSON document.") var json = false
  @OptionGroup var layout: LayoutOptions
  @OptionGroup var shared: SharedOptions

  func validate() throws { try LengthOption.check(maxLength) }

  func compute() throws {
    let session = try model.session(task: task)
    layout.apply(to: session)
    let bar = Watch(isQuiet: shared.quiet)
    let values = try session.evaluate(data, maxLength: maxLength) { bar.show($0) }
    bar.end()
    shared.say(session.notes)
    if json {
      Console.output(JSON.object(JSONObject(values.map { ($0.name, .number($0.value)) })).serialized())
    } else {
      for (name, value) in values { Console.output("\(name.padding(toLength: 16, withPad: " ", startingAt: 0)) \(Figure.fixed(value, digits: 4))") }
    }
  }
}
