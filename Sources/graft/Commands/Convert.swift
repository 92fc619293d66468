import ArgumentParser
import GraftSessions
import GraftTensors

struct Convert: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a model in another form: safetensors, GGUF, PyTorch's pickles.",
    discussion: """
      Example: graft convert Data/models/seedling --to gguf --output seedling.gguf
      Example: graft convert seedling.gguf --to safetensors --output seedling-back

      The tokenizer goes along: a GGUF file has it inside with its chat template, and a configuration is made of such a file's keys. Tensors \
      are converted one after another and stay equal to the bit unless --dtype asks for another type; quantized ones become the numbers that \
      they stand for. Of a GGUF file in shards name the first.
      """)

  @Argument(help: ArgumentHelp("A checkpoint directory, or a .gguf file.", valueName: "source")) var source: String
  @Option(name: .customLong("to"), help: "safetensors | gguf | pytorch") var format: ModelConversion.Format
  @Option(help: ArgumentHelp("The directory to write, or the file for gguf.", valueName: "path")) var output: String
  @Option(help: ArgumentHelp("float32 | bfloat16 | float16 (default: as they are stored)", valueName: "type")) var dtype: String?
  @Flag(help: "Replace an earlier result; a directory that holds anything else stays, and the source always.") var overwrite = false
  @OptionGroup var shared: SharedOptions

  func validate() throws { try DataTypeOption.check(dtype) }

  func run() throws {
    shared.apply()
    let report = try ModelConversion.write(
      source, as: format, to: output, dtype: dtype.flatMap { ElementFormat(named: $0) }, overwrites: overwrite)
    guard !shared.quiet else { return }
    for note in report.notes { Console.note("note: \(note)") }
    Console.note("saved: \(output) (\(report.tensors) tensors)")
  }
}

extension ModelConversion.Format: ExpressibleByArgument {}
