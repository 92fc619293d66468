import ArgumentParser
import GraftCheckpoints
import GraftSessions
import GraftTensors

struct Merge: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write the base with adapters folded in; without one, in another type.",
    discussion: """
      Example: graft merge runs/quickstart --output merged
      Example: graft merge --model Data/models/seedling --adapter adapter.h5 --output merged

      Several adapters are folded in one after another, each times its weight:
        graft merge --model Data/models/seedling --adapter a.h5 --weight 0.7 --adapter b.h5 --weight 0.3 --output merged
      That is the exact sum of what they change. With --combination, LoRA adapters become one first, as with `graft combine`.
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable { case hf, gguf }

  @Argument(help: ArgumentHelp("A run, which names its model; or another adapter that does, or a model.", valueName: "run")) var trained: String?
  @Option(help: ArgumentHelp("A Hugging Face checkpoint directory (default: what the run or the first adapter was trained on).", valueName: "dir"))
  var model: String?
  @Option(help: ArgumentHelp("An adapter; may be given several times.", valueName: "path")) var adapter: [String] = []
  @OptionGroup var combining: CombinationOptions
  @Option(help: ArgumentHelp("The directory to write, or the file for gguf.", valueName: "path")) var output: String
  @Option(help: "hf (a checkpoint directory, default) | gguf (a file for llama.cpp)") var format = Format.hf
  @Option(help: ArgumentHelp("float32 (default, exact) | bfloat16 | float16", valueName: "type")) var dtype: String?
  @Flag(help: "Use an adapter that was made for another base.") var force = false
  @Flag(help: "Write the matrices of a quantized base as the numbers that they stand for.") var dequantize = false
  @Flag(help: "Quantize the sums again as the base is, and say how much that changes.") var requantize = false
  @Flag(help: "Replace an earlier result; a directory that holds anything else stays, and the base always.") var overwrite = false
  @OptionGroup var shared: SharedOptions

  func validate() throws {
    try DataTypeOption.check(dtype)
    if requantize, dequantize || dtype != nil || format == .gguf {
      throw ValidationError("--requantize: is in the base's own formats; leave out --dequantize, --dtype and --format gguf")
    }
  }

  func run() throws {
    shared.apply()
    let reference = try ModelReference(trained, model: model, adapters: adapter)
    let adapters = try combining.weighted(reference.adapters)
    if requantize { return try requantized(reference.directory, adapters) }
    let report = try AdapterOperations.merge(
      model: reference.directory, adapters: adapters, combination: combining.chosen, to: output,
      format: format == .gguf ? .gguf : .directory, dtype: dtype.flatMap { ElementFormat(named: $0) } ?? .float32, ignoresFingerprint: force,
      dequantizes: dequantize, overwrites: overwrite)
    guard !shared.quiet else { return }
    for note in report.notes { Console.note("note: \(note)") }
    Console.note("saved: \(output) (a probe's log-probabilities changed by at most \(report.difference))")
  }
}

extension Merge {
  private func requantized(_ model: String, _ adapters: [WeightedAdapter]) throws {
    let report = try AdapterOperations.mergeRequantized(
      model: model, adapters: adapters, combination: combining.chosen, to: output, ignoresFingerprint: force, overwrites: overwrite)
    guard !shared.quiet else { return }
    for note in report.notes { Console.note("note: \(note)") }
    let percent = (report.relativeError * 10000).rounded() / 100
    Console.note(
      "saved: \(output) (quantized again as \(report.quantization.rawValue): a probe's log-probabilities changed by at most "
        + "\(report.largestChange), by \(report.meanChange) on average; the elements of \(report.matrices) matrices by \(percent) % of their root mean square)"
    )
  }
}

struct Combine: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make one LoRA adapter of several, as PEFT's add_weighted_adapter does.",
    discussion: """
      Example: graft combine a.h5 b.h5 --weight 0.7 --weight 0.3 --combination svd --svd-rank 8 --output both.h5

      cat, the default, is exact and has the sum of the ranks; svd is the best approximation of a given rank; linear sums the
      factors, which need equal ranks, and is rough. magnitude_prune keeps the largest values of each adapter, dare_linear some at
      random; ties and dare_ties then sum only those of the sign that prevails. With _svd behind their names they take the products
      rather than the factors, and any rank.
      """)

  @Argument(help: "LoRA adapters: .h5 files, run directories or PEFT directories.") var adapters: [String]
  @OptionGroup var combining: CombinationOptions
  @Option(help: ArgumentHelp("A file that ends with .h5, or a directory in PEFT's format.", valueName: "path")) var output: String
  @Flag(help: "Replace an earlier export; a directory that holds anything else stays.") var overwrite = false
  @OptionGroup var shared: SharedOptions

  func run() throws {
    shared.apply()
    try AdapterOperations.combine(
      try combining.weighted(adapters), by: combining.chosen ?? AdapterCombination(.cat), to: output, overwrites: overwrite)
    if !shared.quiet { Console.note("saved: \(output)") }
  }
}
