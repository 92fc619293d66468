import ArgumentParser
import GraftRecipes

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "What a model, adapter, run or safetensors file holds.", discussion: "Example: graft inspect runs/quickstart")

  @Argument(help: "A model or run directory, an adapter, or a .safetensors file.") var path: String
  @Flag(help: "Print one JSON document.") var json = false
  @OptionGroup var shared: SharedOptions

  func run() throws {
    shared.apply()
    let inspection = try Inspection(of: path)
    Console.output(json ? inspection.json.serialized() : inspection.text)
  }
}
