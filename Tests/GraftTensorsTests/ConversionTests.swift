import GraftTensors
import Testing

@Suite struct ConversionTests {
  @Test func bfloat16RoundsToNearestEven() {
    let x: [Float] = [1, 1.00390625, 1.01171875, -3.14159, .infinity, 3.4e38, 0]
    #expect(Tensor(x).converted(to: .bfloat16).values == [1, 1, 1.015625, -3.140625, .infinity, .infinity, 0])
    #expect(Tensor([Float.nan]).converted(to: .bfloat16).values[0].isNaN)
  }

  @Test func float16MatchesTheHardwareForEveryHalf() {
    let halves = (0...UInt16.max).map { Float16(bitPattern: $0) }
    let widened = Tensor(halves.map { Float($0) })
    let narrowed = widened.converted(to: .float16)
    let bits = narrowed.withUnsafeBytes { Array($0.bindMemory(to: UInt16.self)) }
    for (half, found) in zip(halves, bits) where !half.isNaN { #expect(half.bitPattern == found) }
    for (half, value) in zip(halves, narrowed.values) where !half.isNaN { #expect(Float(half) == value) }
  }

  @Test func float16RoundingMatchesTheHardware() {
    let x = RandomStream(seed: 6).normal([20_000]).values.enumerated().map { index, value in value * [1e-7, 1e-4, 1, 3e4][index % 4] }
    #expect(Tensor(x).converted(to: .float16).values == x.map { Float(Float16($0)) })
  }
}
