import ArgumentParser
import GraftSessions

struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "What was found on this machine, and what each lack costs.", discussion: "Example: graft doctor")

  @Flag(help: "Print one JSON document.") var json = false
  @OptionGroup var shared: SharedOptions

  func run() throws {
    shared.apply()
    let diagnosis = Diagnosis()
    Console.output(json ? diagnosis.json.serialized() : diagnosis.text)
  }
}
