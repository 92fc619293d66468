import ArgumentParser
import GraftCheckpoints
import GraftSessions

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure training or generation on this machine.",
    discussion: "Example: graft bench --model Data/models/seedling --method lora --batch-size 16 --sequence-length 128")

  @Option(help: ArgumentHelp("A Hugging Face checkpoint directory.", valueName: "dir")) var model: String
  @Option(help: ArgumentHelp("lora, lora-all-linear, full, ..., or a YAML file with a method: section.", valueName: "name-or-file")) var method =
    "lora"
  @Option(help: ArgumentHelp("Sequences of a step.", valueName: "n")) var batchSize = 8
  @Option(help: ArgumentHelp("Tokens of a sequence.", valueName: "n")) var sequenceLength = 128
  @OptionGroup var arithmetic: PrecisionOptions
  @Option(help: ArgumentHelp("Measured steps.", valueName: "n")) var steps = 10
  @Option(help: ArgumentHelp("Steps before the measured ones.", valueName: "n")) var warmup = 3
  @Flag(help: "Measure greedy generation: 32 prompt tokens, 128 new ones.") var generate = false
  @Flag(inversion: .prefixedNo, help: "Measure the machine's own rate beside it, of products or (with --generate) of memory.") var peak = true
  @Flag(help: "Print one JSON document.") var json = false
  @OptionGroup var shared: SharedOptions

  func validate() throws {
    guard batchSize > 0, sequenceLength > 1, steps > 0, warmup >= 0 else { throw ValidationError("sizes and steps must be positive") }
  }

  func run() throws {
    shared.apply()
    var bench = Benchmark(
      model: try HubCache().directory(of: model), method: method, batchSize: batchSize, sequenceLength: sequenceLength, steps: steps, warmup: warmup)
    bench.precision = arithmetic.precision
    bench.measuresPeak = peak
    let result = try generate ? bench.generation() : bench.training()
    Console.output(json ? result.json.serialized() : result.text)
  }
}
