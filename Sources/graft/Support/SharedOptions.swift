import ArgumentParser
import GraftBatching
import GraftLayers
import GraftRecipes
import GraftSessions
import GraftTensors

/// The options of every command.
struct SharedOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Threads to use (default: every core).", valueName: "n"))
  var threads: Int?

  @Flag(help: "Print results and errors only.")
  var quiet = false

  func validate() throws {
    guard let threads else { return }
    guard threads >= 1 else { throw ValidationError("--threads: is \(threads); it must be at least 1") }
    let most = max(16, 4 * Threads.coreCount)
    guard threads <= most else {
      throw ValidationError("--threads: is \(threads); this machine has \(Threads.coreCount) cores, choose at most \(most)")
    }
  }

  /// Puts the settings into effect.
  func apply() {
    guard let threads else { return }
    Threads.count = threads
    if threads > Threads.coreCount, !quiet {
      Console.note("note: --threads: \(threads) are more than the \(Threads.coreCount) cores of this machine, which rarely makes anything faster")
    }
  }
}

/// Checks the length of the windows that long texts are read in.
enum LengthOption {
  static func check(_ length: Int?) throws {
    if let length, length < 2 { throw ValidationError("--max-length: \(length) leaves nothing to predict; choose 2 or more") }
  }
}

/// Checks the type of the tensors that a model is written in.
enum DataTypeOption {
  static func check(_ name: String?) throws {
    guard let name, !["float32", "bfloat16", "float16"].contains(name) else { return }
    throw ValidationError("--dtype: unknown type \(name); use float32, bfloat16 or float16")
  }
}

/// A model and, perhaps, an adapter on it.
struct ModelOptions: ParsableArguments {
  @Argument(help: ArgumentHelp("A run, which names its model; or another adapter that does, or a model.", valueName: "run"))
  var run: String?

  @Option(help: ArgumentHelp("A Hugging Face checkpoint directory (default: what the run or the adapter was trained on).", valueName: "dir"))
  var model: String?

  @Option(help: ArgumentHelp("An adapter: .h5 file, run directory or PEFT directory.", valueName: "path"))
  var adapter: String?

  @Option(help: "Which tokens of a decoder see which: causal | bidirectional | prefix (default: what the adapter or the checkpoint says).")
  var attention: AttentionStyle?

  @OptionGroup var arithmetic: PrecisionOptions

  @Option(help: "Quantize the linear layers of an unquantized model while it is loaded: nf4 | fp4 | int8.")
  var quantization: WeightQuantization?

  @Flag(help: "Use an adapter that was made for another base.")
  var force = false

  func validate() throws {
    guard run != nil || model != nil || adapter != nil else { throw ValidationError("--model: missing; name a model's directory, or a run") }
    if run != nil, adapter != nil { throw ValidationError("--adapter: beside a run; leave out one of them") }
  }

  /// The model and the adapter that are meant.
  func reference() throws -> ModelReference { try ModelReference(run, model: model, adapters: [adapter].compactMap(\.self)) }

  /// The model with its adapter.
  /// - Parameters:
  ///   - encoder: the directory to use in place of the model's.
  ///   - task: what it is for; nil is what the adapter, or else the checkpoint, says.
  ///   - isHeadless: true where hidden states are all that is wanted.
  func session(_ encoder: String? = nil, task: LearningTask? = nil, isHeadless: Bool = false) throws -> ModelSession {
    let reference = try reference()
    let bar = Watch(isQuiet: CommandLine.arguments.contains("--quiet"))
    return try ModelSession(
      model: encoder ?? reference.model, adapters: reference.adapters.map { WeightedAdapter($0) }, task: task,
      frozenType: arithmetic.precision.operandFormat, quantization: quantization ?? reference.quantization, style: attention,
      ignoresFingerprint: force, isHeadless: isHeadless
    ) { bar.show($0) }
  }
}

/// The precision of matrix products.
struct PrecisionOptions: ParsableArguments {
  @Option(help: "The type of the products' operands and of the weights in memory: fp32 | bf16 | fp16.")
  var precision = Recipe.PrecisionName.fp32
}

extension AttentionStyle: ExpressibleByArgument {}
extension Recipe.PrecisionName: ExpressibleByArgument {}

/// A command that computes with a model, in the precision that its options say.
protocol ModelCommand: ParsableCommand {
  var model: ModelOptions { get }
  var shared: SharedOptions { get }
  /// Loads the model and does the command's work.
  func compute() throws
}

extension ModelCommand {
  func run() throws {
    shared.apply()
    try model.arithmetic.precision.run { try compute() }
  }
}
