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
