/// Random numbers as a pure function of a key and a counter (SplitMix64, Steele, Lea and Flood, 2014), so that any
/// point of a stream is reached without drawing what comes before it and is the same on every platform.
package struct CounterRandom: Sendable {
  private let key: UInt64
  private var counter: UInt64 = 0

  /// A stream of its own for every combination of `seed` and `stream`.
  package init(seed: UInt64, stream: UInt64...) {
    key = stream.reduce(Self.mix(seed &+ 0x9E37_79B9_7F4A_7C15)) {
      Self.mix($0 ^ Self.mix($1 &+ 0xD1B5_4A32_D192_ED03))
    }
  }

  package mutating func next() -> UInt64 {
    counter &+= 1
    return Self.mix(key &+ counter &* 0x9E37_79B9_7F4A_7C15)
  }

  /// A number in `0 ..< bound`, by the high half of a wide product (bias below 2⁻³² for any realistic bound).
  package mutating func next(below bound: Int) -> Int {
    Int(next().multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// The numbers `0 ..< count` in random order (Fisher-Yates).
  package mutating func permutation(of count: Int) -> [Int32] {
    var order = Array(0..<Int32(count))
    for last in stride(from: count - 1, to: 0, by: -1) {
      order.swapAt(last, next(below: last + 1))
    }
    return order
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
