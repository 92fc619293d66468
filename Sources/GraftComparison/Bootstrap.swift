import GraftBatching

/// The scores of a method: one line for every seed, one column for every test example.
package struct ScoreTable: Sendable, Equatable {
  package let scores: [[Double]]

  /// - Precondition: every line has the same, positive number of columns.
  package init(_ scores: [[Double]]) {
    precondition(!scores.isEmpty && scores.allSatisfy { !$0.isEmpty && $0.count == scores[0].count }, "a table has equal lines")
    self.scores = scores
  }

  var exampleCount: Int { scores[0].count }
  package var mean: Double { Self.mean(seedMeans) }

  var seedMeans: [Double] { scores.map(Self.mean) }
  var exampleMeans: [Double] { (0..<exampleCount).map { column in Self.mean(scores.map { $0[column] }) } }

  static func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

  /// The table of `self - other`, seed by seed and example by example.
  func difference(from other: ScoreTable) -> ScoreTable {
    ScoreTable(zip(scores, other.scores).map { zip($0, $1).map(-) })
  }
}

/// Intervals of a mean over seeds and examples by the bootstrap.
///
/// Seeds and examples are two sources of chance and are resampled each on its own; their deviations add up. A bootstrap
/// of few items gives intervals that are too short, so that each source's deviations are widened by
/// `sqrt(n / (n - 1)) t / z`, which makes the interval of a normal mean exact (Hesterberg 2015, "What teachers should know
/// about the bootstrap", section 3). With a single seed nothing is known of seeds, and examples alone count.
package enum Bootstrap {
  static let replications = 10_000

  /// An interval that holds the mean with a confidence.
  package static func interval(of table: ScoreTable, confidence: Double = 0.95, seed: UInt64 = 0) -> ClosedRange<Double> {
    var random = CounterRandom(seed: seed, stream: 0x626F_6F74)
    let bySeed = deviations(of: table.seedMeans, confidence, &random)
    let byExample = deviations(of: table.exampleMeans, confidence, &random)
    let sums = zip(bySeed, byExample).map(+).sorted()
    let mean = table.mean
    return mean + quantile((1 - confidence) / 2, of: sums)...mean + quantile((1 + confidence) / 2, of: sums)
  }

  /// The same for a share of successes, within 0 and 1. Where all examples agree no resample differs, and the bound is that
  /// of the "rule of three" (Hanley and Lippman-Hand 1983).
  package static func shareInterval(of table: ScoreTable) -> ClosedRange<Double> {
    let distance = min(1, 3 / Double(table.exampleCount))
    if table.scores.allSatisfy({ $0.allSatisfy { $0 == 0 } }) { return 0...distance }
    if table.scores.allSatisfy({ $0.allSatisfy { $0 == 1 } }) { return (1 - distance)...1 }
    return interval(of: table).clamped(to: 0...1)
  }

  /// Returns true where one mean may be as good as another: the 95 % interval of their paired difference holds 0.
  package static func isTie(_ table: ScoreTable, with best: ScoreTable) -> Bool {
    interval(of: best.difference(from: table)).contains(0)
  }

  /// The distances of the means of resamples from the mean, widened for few items.
  private static func deviations(of values: [Double], _ confidence: Double, _ random: inout CounterRandom) -> [Double] {
    let count = values.count
    guard count > 1 else { return [Double](repeating: 0, count: replications) }
    let mean = ScoreTable.mean(values)
    let upper = (1 + confidence) / 2
    // The normal quantile is that of many degrees of freedom.
    let widening =
      (Double(count) / Double(count - 1)).squareRoot() * StudentDistribution.quantile(upper, freedom: count - 1)
      / StudentDistribution.quantile(upper, freedom: 1_000_000)
    return (0..<replications).map { _ in
      let resampled = (0..<count).reduce(0.0) { sum, _ in sum + values[random.next(below: count)] } / Double(count)
      return widening * (resampled - mean)
    }
  }

  private static func quantile(_ share: Double, of sorted: [Double]) -> Double {
    let place = share * Double(sorted.count - 1)
    let low = Int(place)
    let next = min(low + 1, sorted.count - 1)
    return sorted[low] + (place - Double(low)) * (sorted[next] - sorted[low])
  }
}
