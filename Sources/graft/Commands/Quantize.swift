import ArgumentParser
import GraftCheckpoints
import GraftSessions
import GraftTensors

struct Quantize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a model with its linear layers in 4, 6 or 8 bits.",
    discussion: """
      Example: graft quantize Data/models/seedling --format nf4 --output seedling-nf4

      nf4, fp4 and int8 are written in bitsandbytes' layout, fp8_e4m3 in that of DeepSeek-V3, which Transformers reads too; q8_0, q4_0, \
      q4_k, q6_k and mxfp4 as a GGUF file in a directory with the configuration and the tokenizer: llama.cpp runs the file, and the \
      directory is a model here. Embeddings, norms, heads and routers stay as they are, and so do experts in the layouts of Transformers. \
      The result is a base for every method but full fine-tuning, and takes as much memory as its files; a recipe with model.quantization \
      quantizes an unquantized model while it loads it.
      """)

  @Argument(help: ArgumentHelp("A Hugging Face checkpoint directory.", valueName: "dir")) var model: String
  @Option(help: "\(WeightQuantization.allCases.filter { $0.layout != nil }.map(\.rawValue).joined(separator: " | "))") var format: WeightQuantization
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
