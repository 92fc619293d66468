import ArgumentParser
import Foundation
import GraftRecipes

/// The command line: it parses, calls, and speaks; everything else is in the libraries.
@main
struct GraftCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "graft", abstract: "Fine-tunes transformers on any CPU.",
    discussion: "Example: graft train Recipes/quickstart.yaml",
    version: "0.1.0",
    subcommands: [
      Train.self, Compare.self, Report.self, Eval.self, Score.self, Generate.self, Chat.self, Embed.self, Tokenize.self, Export.self, Import.self,
      Merge.self,
      Quantize.self, Combine.self, Inspect.self, Bench.self, Doctor.self, Recipes.self, Methods.self, Schema.self, Manual.self,
    ])

  /// Runs a command; a failure is one line and an exit code of sysexits.
  static func main() {
    Interruption.setUpFileSignals()
    Console.setUp()
    Interruption.endAtOnce()
    Failure.reportExhaustedMemory()
    do {
      if let failure = ArgumentFailure(arguments: CommandLine.arguments.dropFirst()) {
        Console.error("error: \(failure.message)")
        end(EX_USAGE)
      }
      if let key = keyToExplain {
        Console.output(try RecipeReference.help(of: key))
      } else {
        var command = try parseAsRoot()
        try command.run()
      }
      Console.finish()
      end(0)
    } catch {
      guard Failure.isOurs(error) else { end(withArgumentError: error) }
      let failure = Failure(error)
      Console.flushOutput()
      Console.error("error: \(failure.message)")
      end(failure.status.rawValue)
    }
  }

  /// The key of a recipe that `graft help KEY` asks about: it has a full stop, which no command has, or is a section or key of the top level.
  private static var keyToExplain: String? {
    let arguments = CommandLine.arguments.dropFirst()
    guard arguments.count == 2, arguments.first == "help", let key = arguments.last else { return nil }
    let isCommand = configuration.subcommands.contains { $0._commandName == key }
    return key.contains(".") || !isCommand && RecipeReference.explains(key) ? key : nil
  }

  /// Prints help and versions, or says what is wrong with the arguments.
  private static func end(withArgumentError error: any Error) -> Never {
    let code = exitCode(for: error)
    let text = fullMessage(for: error)
    if code.isSuccess {
      if !text.isEmpty { Console.output(text) }
      Console.finish()
    } else {
      Console.flushOutput()
      // The exit code of a run that was interrupted has no words.
      if !text.isEmpty { Console.error("error: \(ArgumentFailure(message(for: error), full: text).message)") }
    }
    end(code.rawValue)
  }

  /// Ends the process without what libraries do at its end: OpenBLAS waits for its threads, which wait for memory where there is none.
  private static func end(_ code: Int32) -> Never {
    fflush(nil)
    _exit(code)
  }
}
