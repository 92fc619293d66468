/// NumPy's generator of random numbers, drawn from as NumPy does: `numpy.random.default_rng(seed)`.
///
/// O'Neill 2014, "PCG", with 128 bits of state, whose seed is spread by `SeedSequence` (O'Neill 2015, "Developing a seed_seq alternative").
public struct NumPyGenerator: Sendable {
  private static let multiplier: UInt128 = 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645
  private var state: UInt128 = 0
  private let increment: UInt128
  /// The upper half of a word of which 32 bits were taken.
  private var rest: UInt32?

  /// The generator behind `default_rng(seed)`.
  public init(seed: UInt64) {
    let words = SeedWords(seed: seed).words
    func joined(_ first: Int) -> UInt128 { UInt128(words[first]) << 64 | UInt128(words[first + 1]) }
    increment = joined(2) << 1 | 1
    step()
    state &+= joined(0)
    step()
  }

  private mutating func step() { state = state &* Self.multiplier &+ increment }

  /// The next 64 random bits.
  public mutating func next() -> UInt64 {
    step()
    let folded = UInt64(truncatingIfNeeded: state >> 64 ^ state)
    let turn = UInt64(truncatingIfNeeded: state >> 122)
    return folded >> turn | folded << ((64 - turn) & 63)
  }

  /// The next 32 random bits: the lower half of a word, then its upper half.
  private mutating func nextHalf() -> UInt32 {
    if let rest {
      self.rest = nil
      return rest
    }
    let word = next()
    rest = UInt32(truncatingIfNeeded: word >> 32)
    return UInt32(truncatingIfNeeded: word)
  }

  /// A number from 0 to `last`, below 2³² (Lemire 2019).
  private mutating func bounded(through last: Int) -> Int {
    guard last > 0 else { return 0 }
    let count = UInt64(last) + 1
    var product = UInt64(nextHalf()) * count
    if product & 0xffff_ffff < count {
      let threshold = (0xffff_ffff - UInt64(last)) % count
      while product & 0xffff_ffff < threshold { product = UInt64(nextHalf()) * count }
    }
    return Int(product >> 32)
  }

  /// The same by trying numbers of as many bits.
  private mutating func tried(through last: Int) -> Int {
    guard last > 0 else { return 0 }
    let mask = UInt32.max >> UInt32(last).leadingZeroBitCount
    while true {
      let value = Int(nextHalf() & mask)
      if value <= last { return value }
    }
  }

  /// `shuffle` of an array.
  public mutating func shuffle(_ values: inout [Int]) {
    for place in stride(from: values.count - 1, to: 0, by: -1) { values.swapAt(place, tried(through: place)) }
  }

  /// `choice(size, count, replace=False)`: so many of the numbers below `size`.
  public mutating func choice(of size: Int, count: Int) -> [Int] {
    precondition(count <= size && size <= 1 << 32, "\(count) of \(size)")
    func mix(_ values: inout [Int], from first: Int, _ generator: inout NumPyGenerator) {
      for place in stride(from: values.count - 1, through: first, by: -1) { values.swapAt(place, generator.bounded(through: place)) }
    }
    if size > 10_000, count > size / 50 {
      var values = Array(0..<size)
      mix(&values, from: max(size - count, 1), &self)
      return Array(values.suffix(count))
    }
    // Floyd's way: each number in turn, or the last of those that it is drawn from.
    var seen: Set<Int> = []
    var values = (size - count..<size).map { last -> Int in
      let drawn = bounded(through: last)
      return seen.insert(drawn).inserted
        ? drawn
        : {
          seen.insert(last)
          return last
        }()
    }
    mix(&values, from: 1, &self)
    return values
  }
}

/// A seed spread over words.
private struct SeedWords {
  /// Four.
  let words: [UInt64]

  init(seed: UInt64) {
    let entropy = [UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32), 0, 0]
    var factor: UInt32 = 0x43b0_d7e5
    func hashed(_ value: UInt32) -> UInt32 {
      let mixed = value ^ factor
      factor = factor &* 0x931e_8875
      let product = mixed &* factor
      return product ^ product >> 16
    }
    var pool = entropy.map(hashed)
    for source in 0..<4 {
      for target in 0..<4 where target != source {
        let mixed = pool[target] &* 0xca01_f9dd &- hashed(pool[source]) &* 0x4973_f715
        pool[target] = mixed ^ mixed >> 16
      }
    }
    var other: UInt32 = 0x8b51_f9dd
    let halves = (0..<8).map { index -> UInt64 in
      let mixed = pool[index % 4] ^ other
      other = other &* 0x58f3_8ded
      let product = mixed &* other
      return UInt64(product ^ product >> 16)
    }
    words = (0..<4).map { halves[2 * $0] | halves[2 * $0 + 1] << 32 }
  }
}
