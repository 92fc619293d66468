import GraftTensors
import Testing

@Suite struct RandomStreamTests {
  /// Known answers, computed from the papers' definitions of SplitMix64's finaliser and Philox 4x32-10.
  @Test func streamsAreTheirDefinitions() {
    let stream = RandomStream(seed: 1)
    #expect(stream.key == 0x6ec8_ac3d_f766_4941)
    #expect(stream.split("a").key == 0x2e21_3da9_5034_6777)
    #expect(stream.split(7).key == 0x28ed_0fde_422d_afa8)
    #expect(
      stream.uniform([6]).values == [
        0.8101516366004944, 0.3729746341705322, 0.9321051836013794, 0.38157057762145996, 0.9501926302909851, 0.6689590811729431,
      ])
    #expect(
      RandomStream(seed: 2).split("weights").uniform([4]).values == [
        0.8195357322692871, 0.9548318982124329, 0.45037490129470825, 0.10302793979644775,
      ])
    let normal: [Float] = [-1.27249587867749, 1.3053020586885995, -1.7063514314800454, 1.5709729374969619, -1.1939829605243333, -2.1385951766355284]
    #expect(zip(stream.normal([6]).values, normal).allSatisfy { abs($0 - $1) < 1e-5 })
    #expect(zip(stream.normal([6], mean: 2, standardDeviation: 3).values, normal).allSatisfy { abs($0 - (2 + 3 * $1)) < 3e-5 })
  }

  /// A value depends on its position alone, not on how many are drawn or by how many threads.
  @Test func positionsAreIndependentOfShares() {
    let stream = RandomStream(seed: 9).split("x")
    let values = stream.uniform([70_000]).values
    #expect(Array(values.prefix(5)) == stream.uniform([5]).values)
    for position in [0, 1, 2, 3, 4, 32_767, 32_768, 69_999] { #expect(stream.unit(at: position) == values[position]) }
    #expect(Array(stream.normal([70_000]).values.prefix(5)) == stream.normal([5]).values)
  }

  /// Moments, and independence of neighbours, of which a pair comes from one radius.
  @Test func normalsAreNormal() {
    let values = RandomStream(seed: 4).normal([100_000]).values.map(Double.init)
    let count = Double(values.count)
    func mean(_ power: (Double) -> Double) -> Double { values.reduce(0) { $0 + power($1) } / count }
    #expect(abs(mean { $0 }) < 0.015)
    #expect(abs(mean { $0 * $0 } - 1) < 0.02)
    #expect(abs(mean { $0 * $0 * $0 }) < 0.05)
    #expect(abs(mean { $0 * $0 * $0 * $0 } - 3) < 0.12)
    for distance in 1...4 {
      let products = zip(values, values.dropFirst(distance)).reduce(0) { $0 + $1.0 * $1.1 } / count
      #expect(abs(products) < 0.015, "neighbours \(distance) apart")
    }
  }

  @Test func uniformsAreUniform() {
    var counts = [Int](repeating: 0, count: 20)
    let values = RandomStream(seed: 3).uniform([100_000]).values
    for value in values { counts[min(19, Int(value * 20))] += 1 }
    #expect(values.allSatisfy { $0 >= 0 && $0 < 1 })
    // 19 degrees of freedom: above 43.8 once in a thousand.
    #expect(counts.reduce(0.0) { $0 + (Double($1) - 5000) * (Double($1) - 5000) / 5000 } < 43.8)
  }

  @Test func streamsDoNotMeet() {
    let stream = RandomStream(seed: 5)
    let keys =
      (0..<1000).map { stream.split($0).key } + (0..<1000).map { stream.split("\($0)").key } + (0..<1000).map { RandomStream(seed: UInt64($0)).key }
    #expect(Set(keys).count == 3000)
  }
}
