import ArgumentParser
import GraftAdapters
import GraftSessions

extension LoRACombination: ExpressibleByArgument {}
extension MajoritySign: ExpressibleByArgument {}

/// Weights, and how LoRA adapters become one.
struct CombinationOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The weight of the adapter before it, or one for each adapter in order (default: 1).", valueName: "x"))
  var weight: [Float] = []
  @Option(help: ArgumentHelp("How LoRA adapters become one: PEFT's combination_type.", valueName: "kind"))
  var combination: LoRACombination?
  @Option(help: ArgumentHelp("The rank of the result of a kind that ends with svd (default: the adapters' largest).", valueName: "n"))
  var svdRank: Int?
  @Option(help: ArgumentHelp("The part of each adapter's values that ties, dare and magnitude_prune keep, from 0 to 1.", valueName: "x"))
  var density: Double?
  @Option(help: ArgumentHelp("How ties elects a sign: by the sum of the values, or by their number (default: total).", valueName: "way"))
  var majoritySignMethod: MajoritySign?
  @Option(help: ArgumentHelp("The seed from which dare draws what it keeps, as PyTorch does (default: 0).", valueName: "n"))
  var combinationSeed: UInt64?

  func validate() throws {
    if let svdRank, svdRank < 1 { throw ValidationError("--svd-rank: is \(svdRank); it must be at least 1") }
    if svdRank != nil, combination?.takesRank != true { throw ValidationError("--svd-rank: belongs to a --combination that ends with svd") }
    if let density, !(density > 0 && density <= 1) { throw ValidationError("--density: is \(density); it must be above 0 and at most 1") }
    if (density != nil) != (combination?.takesDensity ?? false) {
      throw ValidationError("--density: belongs to --combination ties, dare_linear, dare_ties and magnitude_prune and their svd forms, which need it")
    }
    if majoritySignMethod != nil, combination?.electsSigns != true {
      throw ValidationError("--majority-sign-method: belongs to --combination ties, dare_ties and their svd forms")
    }
    if combinationSeed != nil, combination?.draws != true {
      throw ValidationError("--combination-seed: belongs to --combination dare_linear, dare_ties and their svd forms")
    }
    if let odd = weight.first(where: { !$0.isFinite }) { throw ValidationError("--weight: is \(odd); give a number") }
  }

  /// The way in which the adapters become one, where that was asked for.
  var chosen: AdapterCombination? {
    combination.map {
      AdapterCombination(
        $0,
        LoRACombinationSettings(
          rank: svdRank, density: density, majoritySign: majoritySignMethod ?? .total, seed: combinationSeed ?? 0))
    }
  }

  /// The adapters with their weights.
  ///
  /// - Parameter arguments: the command line, which tells what each weight stands behind where some adapters have none.
  /// - Throws: `ValidationError` for weights that belong to no adapter.
  func weighted(_ adapters: [String], arguments: [String] = CommandLine.arguments) throws -> [WeightedAdapter] {
    if weight.isEmpty || weight.count == adapters.count {
      return adapters.enumerated().map { WeightedAdapter($1, weight: weight.isEmpty ? 1 : weight[$0]) }
    }
    guard weight.count < adapters.count else { throw ValidationError("--weight: \(weight.count) weights for \(adapters.count) adapters") }
    var result = adapters.map { WeightedAdapter($0) }
    var weights = weight.makeIterator()
    var isWeighted = false
    var count = 0
    for argument in arguments {
      if argument == "--weight" || argument.hasPrefix("--weight=") {
        guard count > 0, !isWeighted, let next = weights.next() else { throw ValidationError("--weight: put each behind the adapter it belongs to") }
        result[count - 1].weight = next
        isWeighted = true
      } else if count < adapters.count, argument == adapters[count] || argument == "--adapter=\(adapters[count])" {
        count += 1
        isWeighted = false
      }
    }
    return result
  }
}
