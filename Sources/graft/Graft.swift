import ArgumentParser
import Foundation

/// The command line: it parses, calls, and speaks; everything else is in the libraries.
@main
struct GraftCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "graft", abstract: "Fine-tunes transformers on any CPU.",
    discussion: "Example: graft train Recipes/quickstart.yaml",
    version: "0.1.0",
    subcommands: [
      Train.self, Compare.self, Eval.self, Score.self, Generate.self, Chat.self, Embed.self, Tokenize.self, Export.self, Import.self, Merge.self,
      Combine.self, Inspect.self, Bench.self, Doctor.self, Methods.self,
    ])

  /// Runs a command; a failure is one line and an exit code of sysexits.
  static func main() {
    Interruption.setUpFileSignals()
    Interruption.endAtOnce()
    Failure.reportExhaustedMemory()
    do {
      var command = try parseAsRoot()
      try command.run()
      end(0)
    } catch {
      guard Failure.isOurs(error) else { exit(withError: error) }
      let failure = Failure(error)
      fflush(nil)
      Console.error("error: \(failure.message)")
      end(failure.code)
    }
  }

  /// Ends the process without what libraries do at its end: OpenBLAS waits for its threads, which wait for memory where there is none.
  private static func end(_ code: Int32) -> Never {
    fflush(nil)
    _exit(code)
  }
}
