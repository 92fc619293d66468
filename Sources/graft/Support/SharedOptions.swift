import ArgumentParser
import GraftBatching
import GraftDatasets
import GraftLayers
import GraftRecipes
import GraftTensors

/// What every command takes.
struct SharedOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Threads to use (default: every core).", valueName: "n"))
  var threads: Int?

  @Flag(help: "Print results and errors only.")
  var quiet = false

  func validate() throws {
    if let threads, threads < 1 { throw ValidationError("--threads: is \(threads); it must be at least 1") }
  }

  /// Says on standard error what was noticed.
  func say(_ notes: DataNotes) { say(notes.all) }

  /// Says on standard error what is worth knowing, a sentence each.
  func say(_ notes: [String]) {
    guard !quiet else { return }
    for note in notes { Console.note("note: \(note)") }
  }

  /// Puts the settings into effect.
  func apply() {
    if let threads { Threads.count = threads }
  }
}

/// Checks the length of the windows that long texts are read in.
enum LengthOption {
  static func check(_ length: Int?) throws {
    if let length, length < 2 { throw ValidationError("--max-length: \(length) leaves nothing to predict; choose 2 or more") }
  }
}

/// A model and, perhaps, an adapter on it.
struct ModelOptions: ParsableArguments {
  @Option(help: ArgumentHelp("A Hugging Face checkpoint directory.", valueName: "dir"))
  var model: String

  @Option(help: ArgumentHelp("An adapter: .h5 file, run directory or PEFT directory.", valueName: "path"))
  var adapter: String?

  @Option(help: "Which tokens of a decoder see which: causal | bidirectional | prefix (default: what the adapter or the checkpoint says).")
  var attention: AttentionStyle?

  @Flag(help: "Use an adapter that was made for another base.")
  var force = false

  /// The model with its adapter.
  /// - Parameters:
  ///   - task: what it is for; nil is what the adapter, or else the checkpoint, says.
  ///   - isHeadless: whether hidden states are all that is wanted.
  func session(task: LearningTask? = nil, isHeadless: Bool = false) throws -> ModelSession {
    try ModelSession(model: model, adapter: adapter, task: task, style: attention, ignoresFingerprint: force, isHeadless: isHeadless)
  }
}

extension AttentionStyle: ExpressibleByArgument {}
