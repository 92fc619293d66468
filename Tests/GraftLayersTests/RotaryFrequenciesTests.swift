import GraftLayers
import Testing

/// Ratios of stretched to plain frequencies, as Transformers computes them.
@Suite struct RotaryFrequenciesTests {
  private func ratios(_ frequencies: RotaryFrequencies) -> [Float] {
    var plain = frequencies
    plain.scaling = .none
    return zip(frequencies.inverseFrequencies(length: 1), plain.inverseFrequencies(length: 1)).map { $0 / $1 }
  }

  @Test func llama3() {
    let found = ratios(
      RotaryFrequencies(rotatedSize: 128, base: 5e5, scaling: .llama3(factor: 8, lowFactor: 1, highFactor: 4, originalLength: 8192)))
    let middle: [Float] = [0.828168, 0.643743, 0.493507, 0.371122, 0.271425, 0.190211]
    #expect(found[0...28].allSatisfy { abs($0 - 1) < 1e-6 })
    for (a, b) in zip(found[29...34], middle) { #expect(abs(a - b) < 2e-5) }
    #expect(found[35...].allSatisfy { abs($0 - 0.125) < 1e-6 })
  }

  @Test func yarn() {
    let found = ratios(
      RotaryFrequencies(
        rotatedSize: 64, base: 150_000,
        scaling: .yarn(factor: 32, betaFast: 32, betaSlow: 1, originalLength: 4096, attentionFactor: 1.3465736, truncates: false)))
    let middle: [Float] = [0.905551, 0.801443, 0.697335, 0.593227, 0.489119, 0.385011, 0.280903, 0.176795, 0.072688]
    #expect(found[0...8].allSatisfy { abs($0 - 1) < 1e-6 })
    for (a, b) in zip(found[9...17], middle) { #expect(abs(a - b) < 2e-5) }
    #expect(found[18...].allSatisfy { abs($0 - 0.03125) < 1e-6 })
  }

  @Test func linearAndDynamic() {
    let linear = RotaryFrequencies(rotatedSize: 8, base: 10_000, scaling: .linear(factor: 4))
    #expect(ratios(linear).allSatisfy { abs($0 - 0.25) < 1e-6 })
    let dynamic = RotaryFrequencies(rotatedSize: 8, base: 10_000, scaling: .dynamic(factor: 2, originalLength: 64))
    let plain = RotaryFrequencies(rotatedSize: 8, base: 10_000).inverseFrequencies(length: 64)
    #expect(dynamic.inverseFrequencies(length: 64) == plain)
    // base * (2 * 128 / 64 - 1)^(8 / 6)
    let grown = RotaryFrequencies(rotatedSize: 8, base: 10_000 * 4.3267487).inverseFrequencies(length: 1)
    for (a, b) in zip(dynamic.inverseFrequencies(length: 128), grown) { #expect(abs(a - b) < 1e-5 * b) }
  }
}
