import ArgumentParser
import GraftSessions

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write an adapter in another format.",
    discussion: "Example: graft export runs/quickstart --format peft --output quickstart-peft")

  enum Format: String, ExpressibleByArgument, CaseIterable { case peft, hdf5, adapterhub, gguf }

  @Argument(help: "An adapter: .h5 file, run directory, PEFT or AdapterHub directory.") var adapter: String
  @Option(help: "peft | hdf5 | adapterhub | gguf") var format: Format
  @Option(
    help: ArgumentHelp(
      "The base model's directory, where a GGUF file needs more of it than the adapter tells (default: what it was trained on).", valueName: "dir"))
  var model: String?
  @Option(help: ArgumentHelp("A directory for peft and adapterhub, a file otherwise.", valueName: "path")) var output: String
  @Flag(help: "Replace an earlier export; a directory that holds anything else stays.") var overwrite = false
  @OptionGroup var shared: SharedOptions

  func run() throws {
    shared.apply()
    switch format {
    case .peft: try AdapterOperations.exportPEFT(adapter, to: output, overwrites: overwrite)
    case .adapterhub: try AdapterOperations.exportAdapterHub(adapter, to: output, overwrites: overwrite)
    case .hdf5: try AdapterOperations.exportHDF5(adapter, to: output)
    case .gguf: try AdapterOperations.exportGGUF(adapter, model: model, to: output)
    }
    if !shared.quiet { Console.note("saved: \(output)") }
  }
}

struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turn a PEFT or AdapterHub adapter into a graft file.", discussion: "Example: graft import my-peft-adapter --output adapter.h5")

  @Argument(help: "A PEFT or AdapterHub directory.") var directory: String
  @Option(help: ArgumentHelp("The file to write.", valueName: "file.h5")) var output: String
  @OptionGroup var shared: SharedOptions

  func run() throws {
    shared.apply()
    try AdapterOperations.exportHDF5(directory, to: output)
    if !shared.quiet { Console.note("saved: \(output)") }
  }
}
