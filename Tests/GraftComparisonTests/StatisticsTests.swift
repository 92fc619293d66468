import GraftBatching
import GraftComparison
import Testing


@Suite struct StatisticsTests {
  /// `scipy.stats.t.ppf(p, df)`.
  @Test(arguments: [
    (1, 0.975, 12.706204736174694), (2, 0.975, 4.302652729749462), (2, 0.9875, 6.205346816570706), (4, 0.995, 4.604094871349992),
    (9, 0.975, 2.262157162798205), (30, 0.9, 1.3104150253913955), (1_000_000, 0.975, 1.959966356814107),
  ])
  func studentQuantilesAreThoseOfSciPy(freedom: Int, probability: Double, expected: Double) {
    #expect(abs(StudentDistribution.quantile(probability, freedom: freedom) - expected) < 1e-9 * expected)
    #expect(abs(StudentDistribution.quantile(1 - probability, freedom: freedom) + expected) < 1e-9 * expected)
  }

  /// `scipy.stats.bootstrap(method="percentile")` with 200,000 resamples, its ends moved away from the mean by
  /// `sqrt(n / (n - 1)) t / z`.
  @Test func intervalOverExamplesIsTheWidenedBootstrapOfSciPy() {
    let interval = Bootstrap.interval(of: ScoreTable([[0.31, 0.55, 0.12, 0.98, 0.44, 0.61, 0.29, 0.73, 0.5, 0.37, 0.66, 0.81]]))
    #expect(abs(interval.lowerBound - 0.37836) < 0.012 && abs(interval.upperBound - 0.68624) < 0.012)
  }

  /// The same of seeds and examples, their deviations drawn apart and added, by NumPy with 400,000 resamples.
  @Test func intervalOverSeedsAndExamplesAddsTheirDeviations() {
    let table = ScoreTable([[1, 0, 1, 1, 0, 1, 1, 0], [1, 1, 1, 0, 0, 1, 1, 0], [0, 0, 1, 1, 1, 1, 1, 0]])
    let interval = Bootstrap.interval(of: table)
    #expect(abs(interval.lowerBound - 0.30256) < 0.03 && abs(interval.upperBound - 0.94744) < 0.03)
  }

  @Test func aShareStaysAShareEvenWhereAllAgree() {
    #expect(Bootstrap.shareInterval(of: ScoreTable([[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]])) == 0...0.3)
    #expect(Bootstrap.shareInterval(of: ScoreTable([[Double](repeating: 1, count: 30)])) == 0.9...1)
    let high = Bootstrap.shareInterval(of: ScoreTable([[1, 1, 1, 1, 1, 1, 0, 1], [1, 1, 0, 1, 1, 1, 1, 1]]))
    #expect(high.upperBound == 1 && high.lowerBound > 0)
  }

  /// Two methods that are the same but for chance, of seeds and of examples, are told apart in 5 of 100 repetitions at most.
  @Test(arguments: [1, 3, 5])
  func sameMethodsTie(seeds: Int) {
    let ties = (0..<100).filter { repetition in
      let tables = Self.methods(advantages: [0, 0], seeds: seeds, repetition: repetition)
      let (a, b) = tables[0].mean >= tables[1].mean ? (tables[0], tables[1]) : (tables[1], tables[0])
      return Bootstrap.isTie(b, with: a)
    }
    #expect(ties.count >= 95, "\(ties.count) of 100")
  }

  @Test func aClearlyBetterMethodIsTold() {
    let told = (0..<20).filter { repetition in
      let tables = Self.methods(advantages: [0.3, 0], seeds: 5, repetition: repetition)
      return !Bootstrap.isTie(tables[1], with: tables[0])
    }
    #expect(told.count >= 18, "\(told.count) of 20")
  }

  /// Successes on 150 examples of different difficulty under seeds of different luck.
  private static func methods(advantages: [Double], seeds: Int, repetition: Int) -> [ScoreTable] {
    var random = CounterRandom(seed: UInt64(repetition), stream: 7)
    func uniform() -> Double { Double(random.next() >> 11) * 0x1p-53 }
    let difficulties = (0..<150).map { _ in 0.3 + 0.4 * uniform() }
    return advantages.map { advantage in
      ScoreTable(
        (0..<seeds).map { _ in
          // Luck of a seed matters only where there are several to see it from.
          let luck = seeds > 1 ? 0.1 * (uniform() - 0.5) : 0
          return difficulties.map { uniform() < $0 + luck + advantage ? 1.0 : 0.0 }
        })
    }
  }
}
