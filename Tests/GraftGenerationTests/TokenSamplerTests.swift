import Foundation
import GraftBatching
import GraftGeneration
import GraftLayers
import Testing

/// Draws against the distributions that they are to have.
@Suite struct TokenSamplerTests {
  /// From 6 to 1 of 21, in an order that is not theirs.
  private let probabilities = [3.0, 6, 1, 5, 2, 4].map { $0 / 21 }
  private var logits: [Float] { probabilities.map { Float(log($0)) + 1.5 } }
  private let count = 20_000

  private func draws(_ change: (inout SamplingSettings) -> Void, seed: UInt64 = 1) -> [Int32] {
    var settings = SamplingSettings()
    (settings.temperature, settings.seed) = (1, seed)
    change(&settings)
    let sampler = TokenSampler(settings)
    let context = DecodingContext(history: [0], givenCount: 1, source: [0], limit: 9)
    return logits.withUnsafeBufferPointer { row in
      (0..<count).map { sampler.choose(row, in: context, sequence: $0 / 100, step: $0 % 100) }
    }
  }

  /// Pearson's statistic; of draws with the expected distribution it is above 45 once in a million times or less often.
  private func statistic(_ draws: [Int32], _ expected: [Double]) -> Double {
    let total = expected.reduce(0, +)
    return expected.enumerated().reduce(0) { sum, entry in
      let seen = Double(draws.count { Int($0) == entry.offset })
      let due = Double(draws.count) * entry.element / total
      guard due > 0 else { return sum + (seen > 0 ? .infinity : 0) }
      return sum + (seen - due) * (seen - due) / due
    }
  }

  @Test func drawsHaveTheModelsDistribution() {
    #expect(statistic(draws { _ in }, probabilities) < 45)
    // What the statistic is worth: one that takes half the mass only, or is a little warmer, is far from it.
    #expect(statistic(draws { $0.topP = 0.5 }, probabilities) > 1000)
    #expect(statistic(draws { $0.temperature = 1.2 }, probabilities) > 100)
  }

  @Test(arguments: [Float(0.25), 0.5, 2, 4]) func temperatureIsAnExponent(_ temperature: Float) {
    let expected = probabilities.map { pow($0, 1 / Double(temperature)) }
    #expect(statistic(draws { $0.temperature = temperature }, expected) < 45)
  }

  @Test(arguments: 1...6) func topKTakesTheMostProbable(_ k: Int) {
    let expected = probabilities.map { $0 * 21 > 6.5 - Double(k) ? $0 : 0 }
    #expect(statistic(draws { $0.topK = k }, expected) < 45)
  }

  /// The smallest set of the most probable tokens that holds more than p; 6, 11, 15, 18, 20 and 21 of 21 are their masses.
  @Test(arguments: [(Float(0.1), 1), (0.28, 1), (0.3, 2), (0.52, 2), (0.53, 3), (0.71, 3), (0.72, 4), (0.85, 4), (0.87, 5), (0.96, 6), (1, 6)])
  func aNucleusIsExact(_ p: Float, _ size: Int) {
    let expected = probabilities.map { $0 * 21 > 6.5 - Double(size) ? $0 : 0 }
    #expect(statistic(draws { $0.topP = p }, expected) < 45)
  }

  /// Shares of the best, which has 6 of 21.
  @Test(arguments: [(Float(0), 6), (0.16, 6), (0.18, 5), (0.34, 4), (0.49, 4), (0.51, 3), (0.7, 2), (0.84, 1), (1, 1)])
  func minPIsAShareOfTheBest(_ p: Float, _ size: Int) {
    let expected = probabilities.map { $0 * 21 > 6.5 - Double(size) ? $0 : 0 }
    #expect(statistic(draws { $0.minP = p }, expected) < 45)
  }

  @Test func drawsHangOnSeedSequenceAndStepOnly() {
    let first = draws { _ in }
    #expect(draws { _ in } == first)
    let other = draws({ _ in }, seed: 2)
    // Independent draws agree as often as the squares of the probabilities add up to.
    let agreement = probabilities.reduce(0) { $0 + $1 * $1 }
    func share(_ a: some Sequence<Int32>, _ b: some Sequence<Int32>) -> Double { Double(zip(a, b).count { $0 == $1 }) / Double(count) }
    #expect(abs(share(first, other) - agreement) < 0.02)
    #expect(abs(share(first, first.dropFirst()) - agreement) < 0.02)
    #expect(abs(share(first, first.dropFirst(100)) - agreement) < 0.02)
  }

  /// A search whose beams are drawn ends with the better of two draws without replacement.
  @Test func beamsAreDrawnWithoutReplacement() throws {
    let model = try GenerationFixture.model("gpt2")
    let prompt: [Int32] = [3, 7, 1, 18]
    let hidden = model.hiddenStates(SequenceInput([prompt]), .inference)
    let logits = model.head.logits(hidden.rows(3..<4), .inference).values.map(Double.init)
    let weights = logits.map { exp($0 - (logits.max() ?? 0)) }
    let total = weights.reduce(0, +)
    let p = weights.map { $0 / total }
    var expected = [Double](repeating: 0, count: p.count)
    for i in p.indices {
      for j in p.indices where i != j { expected[p[i] > p[j] ? i : j] += p[i] * p[j] / (1 - p[i]) }
    }
    var settings = SamplingSettings()
    (settings.temperature, settings.maxNewTokens, settings.beams) = (1, 1, BeamSettings(count: 2))
    let generator = try Generator(continuing: model, endIDs: [])
    let found = try generator(Array(repeating: prompt, count: 4000), settings).map { $0[0] }
    // Rare tokens are taken together, as the statistic needs.
    let rare = Set(expected.indices.filter { expected[$0] * 4000 < 20 }.map(Int32.init))
    let merged = expected.enumerated().map { rare.contains(Int32($0.offset)) ? 0 : $0.element } + [rare.reduce(0) { $0 + expected[Int($1)] }]
    #expect(statistic(found.map { rare.contains($0) ? Int32(p.count) : $0 }, merged) < 90)
    #expect(Set(found).count > 3)
  }

  @Test func coldBeamsAreASearch() throws {
    let generator = try Generator(continuing: try GenerationFixture.model("llama"), endIDs: [2])
    var settings = SamplingSettings()
    (settings.maxNewTokens, settings.beams) = (8, BeamSettings(count: 3))
    let prompts: [[Int32]] = [[3, 7, 1, 18], [11]]
    let searched = try generator(prompts, settings)
    settings.temperature = 1e-4
    #expect(try generator(prompts, settings) == searched)
  }
}
