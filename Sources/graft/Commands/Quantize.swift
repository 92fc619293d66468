import ArgumentParser
import GraftCheckpoints
import GraftSessions
import GraftTensors

struct Quantize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a model with its linear layers in 4 or 8 bits.",
    discussion: """
      Example: graft quantize Data/models/seedling --format nf4 --output seedling-nf4

      The result is in bitsandbytes' layout, which Transformers reads too: nf4 and fp4 have 4 bits in blocks of 64 whose factors are \
      quantized again, int8 a factor a row. Embeddings, norms, heads, routers and experts stay as they are. It is a base for every method \
      but full fine-tuning, and takes as much memory as its files; a recipe with model.quantization quantizes an unquantized one while it \
      loads it, and with it experts that are layers of their own.
      """)

  @Argument(help: ArgumentHelp("A Hugging Face checkpoint directory.", valueName: "dir")) var model: String
  @Option(help: "nf4 | fp4 | int8") var format: WeightQuantization
  @Option(help: ArgumentHelp("The directory to write.", valueName: "dir")) var output: String
  @Flag(help: "Replace an earlier result; a directory that holds anything else stays, and the model always.") var overwrite = false
  @OptionGroup var shared: SharedOptions

  func run() throws {
    shared.apply()
    let report = try ModelQuantization.write(try HubCache().directory(of: model), as: format, to: output, overwrites: overwrite)
    guard !shared.quiet else { return }
    for note in report.notes { Console.note("note: \(note)") }
    let percent = (report.relativeError * 10000).rounded() / 100
    Console.note("saved: \(output) (\(report.matrices) matrices, whose elements changed by \(percent) % of their root mean square)")
  }
}

extension WeightQuantization: ExpressibleByArgument {}
