import ArgumentParser
import GraftAdapters
import GraftSessions

extension LoRACombination: ExpressibleByArgument {}

/// Weights, and how LoRA adapters become one.
struct CombinationOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The weight of the adapter before it, or one for each adapter in order (default: 1).", valueName: "x"))
  var weight: [Float] = []
  @Option(help: ArgumentHelp("linear: sum the factors; cat: put them side by side; svd: approximate the sum.", valueName: "kind"))
  var combination: LoRACombination?
  @Option(help: ArgumentHelp("The rank of the result of svd (default: the adapters' largest).", valueName: "n"))
  var svdRank: Int?

  func validate() throws {
    if let svdRank, svdRank < 1 { throw ValidationError("--svd-rank: is \(svdRank); it must be at least 1") }
    if svdRank != nil, combination != .svd { throw ValidationError("--svd-rank: belongs to --combination svd") }
    if let odd = weight.first(where: { !$0.isFinite }) { throw ValidationError("--weight: is \(odd); give a number") }
  }

  /// The way in which the adapters become one, where that was asked for.
  var chosen: AdapterCombination? { combination.map { AdapterCombination($0, rank: svdRank) } }

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
