import ArgumentParser
import GraftAdapters
import GraftCheckpoints
import GraftJSON
import GraftSessions

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "What a model, adapter, run, safetensors or GGUF file holds.",
    discussion: """
      Example: graft inspect runs/quickstart --model Data/models/seedling
      Example: graft inspect mixtral/config.json deepseek/config.json

      Of a model it draws the architecture, from its configuration alone: equal layers are folded, and caches are counted in
      float32. A second model is drawn beside the first.

      Of an adapter it shows what it has at each module: how many values, their rank, and the Frobenius norm of what they add to
      the weight there. Without --model that is told from LoRA's factors only. With --intruders it counts, of the ten leading
      singular vectors of each adapted weight, those that resemble none of the base's: a sign of what was forgotten.
      """)

  @Argument(help: "A model or run directory, an adapter, a config.json, or a .safetensors or .gguf file.") var path: String
  @Argument(help: "Another model, whose architecture is drawn beside the first one's.") var other: String?
  @Option(help: ArgumentHelp("The base of an adapter, to be matched with it.", valueName: "dir")) var model: String?
  @Flag(help: "Count intruder dimensions; every weight is decomposed, which takes long for large ones. Needs --model.") var intruders = false
  @Flag(help: "Print one JSON document.") var json = false
  @OptionGroup var shared: SharedOptions

  func run() throws {
    shared.apply()
    let inspection = try Inspection(of: HubCache().directory(of: path), model: model, intruders: intruders ? IntruderSearch() : nil)
    if let other {
      let inspections = [inspection, try Inspection(of: HubCache().directory(of: other))]
      let text = try Inspection.comparison(of: inspections)
      if json { Console.output(JSON.array(inspections.map(\.json)).serialized()) } else { Console.report(text) }
      return
    }
    if json { Console.output(inspection.json.serialized()) } else { Console.report(inspection.text) }
  }
}
