import ArgumentParser
import GraftRecipes
import GraftTensors

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write an adapter in another format.",
    discussion: "Example: graft export runs/quickstart --format peft --output quickstart-peft")

  enum Format: String, ExpressibleByArgument, CaseIterable { case peft, hdf5, gguf }

  @Argument(help: "An adapter: .h5 file, run directory or PEFT directory.") var adapter: String
  @Option(help: "peft | hdf5 | gguf") var format: Format
  @Option(help: ArgumentHelp("A directory for peft, a file otherwise.", valueName: "path")) var output: String
  @OptionGroup var shared: SharedOptions

  func run() throws {
    shared.apply()
    switch format {
    case .peft: try AdapterOperations.exportPEFT(adapter, to: output)
    case .hdf5: try AdapterOperations.exportHDF5(adapter, to: output)
    case .gguf: throw SessionError(.usage, "--format: gguf is not supported yet; use peft")
    }
    if !shared.quiet { Console.note("saved: \(output)") }
  }
}

struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turn a PEFT adapter into a graft file.", discussion: "Example: graft import my-peft-adapter --output adapter.h5")

  @Argument(help: "A PEFT directory.") var directory: String
  @Option(help: ArgumentHelp("The file to write.", valueName: "file.h5")) var output: String
  @OptionGroup var shared: SharedOptions

  func run() throws {
    shared.apply()
    try AdapterOperations.exportHDF5(directory, to: output)
    if !shared.quiet { Console.note("saved: \(output)") }
  }
}

struct Merge: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write the base with an adapter folded in; without one, in another type.",
    discussion: "Example: graft merge --model Data/models/seedling --adapter runs/quickstart --output merged")

  @Option(help: ArgumentHelp("A Hugging Face checkpoint directory.", valueName: "dir")) var model: String
  @Option(help: ArgumentHelp("An adapter.", valueName: "path")) var adapter: String?
  @Option(help: ArgumentHelp("The directory to write.", valueName: "dir")) var output: String
  @Option(help: ArgumentHelp("float32 (default, exact) | bfloat16 | float16", valueName: "type")) var dtype: String?
  @Flag(help: "Use an adapter that was made for another base.") var force = false
  @OptionGroup var shared: SharedOptions

  func validate() throws {
    if let dtype, !["float32", "bfloat16", "float16"].contains(dtype) {
      throw ValidationError("--dtype: unknown type \(dtype); use float32, bfloat16 or float16")
    }
  }

  func run() throws {
    shared.apply()
    let difference = try AdapterOperations.merge(
      model: model, adapter: adapter, to: output, dtype: dtype.flatMap { DType(named: $0) } ?? .float32, ignoresFingerprint: force)
    if !shared.quiet { Console.note("saved: \(output) (a probe's log-probabilities changed by at most \(difference))") }
  }
}
