/// NumPy's generator of random numbers, drawn from as NumPy does: what a configuration's seed stands for can be drawn again here.
///
/// O'Neill 2014, "PCG: a family of simple fast space-efficient statistically good algorithms for random number generation", with 128 bits of
/// state and 64 of output.
public struct NumPyGenerator: Sendable {
  private static let multiplier: UInt128 = 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645
  private var state: UInt128 = 0
  private let increment: UInt128
  /// The upper half of the last 64 bits.
  private var kept: UInt32?

  /// The generator behind `numpy.random.default_rng(seed)`.
  public init(seed: UInt64) {
    let words = SeedSequence(seed).words(4)
    increment = (UInt128(words[2]) << 64 | UInt128(words[3])) << 1 | 1
    step()
    state &+= UInt128(words[0]) << 64 | UInt128(words[1])
    step()
  }

  private mutating func step() { state = state &* Self.multiplier &+ increment }

  /// The next 64 random bits.
  private mutating func next() -> UInt64 {
    step()
    let folded = UInt64(truncatingIfNeeded: state >> 64) ^ UInt64(truncatingIfNeeded: state)
    let turn = UInt64(truncatingIfNeeded: state >> 122)
    return folded >> turn | folded << ((64 - turn) % 64)
  }

  private mutating func nextHalf() -> UInt32 {
    if let kept {
      self.kept = nil
      return kept
    }
    let word = next()
    kept = UInt32(word >> 32)
    return UInt32(truncatingIfNeeded: word)
  }

  /// A number from 0 to `last` (Lemire 2019).
  private mutating func number(to last: Int) -> Int {
    guard last > 0 else { return 0 }
    let count = UInt32(last) + 1
    var product = UInt64(nextHalf()) * UInt64(count)
    if UInt32(truncatingIfNeeded: product) < count {
      let threshold = (UInt32.max - UInt32(last)) % count
      while UInt32(truncatingIfNeeded: product) < threshold { product = UInt64(nextHalf()) * UInt64(count) }
    }
    return Int(product >> 32)
  }

  /// `shuffle`.
  private mutating func shuffle(_ values: inout [Int32], from first: Int = 1) {
    for place in stride(from: values.count - 1, through: first, by: -1) { values.swapAt(place, number(to: place)) }
  }

  /// `choice` of a number of different values below `size`.
  private mutating func choice(_ count: Int, of size: Int) -> [Int32] {
    if size > 10_000, count > size / 50 {
      var all = (0..<size).map { Int32($0) }
      shuffle(&all, from: max(size - count, 1))
      return Array(all.suffix(count))
    }
    // Floyd's algorithm.
    var chosen: Set<Int32> = []
    var order: [Int32] = []
    for last in size - count..<size {
      let drawn = Int32(number(to: last))
      let taken = chosen.contains(drawn) ? Int32(last) : drawn
      chosen.insert(taken)
      order.append(taken)
    }
    shuffle(&order)
    return order
  }

  /// Values below `size`, each as often as any other but for once, in the order of a shuffle.
  public mutating func evenChoices(_ count: Int, of size: Int) -> [Int32] {
    var values = (0..<size).flatMap { Array(repeating: Int32($0), count: count / size) }
    if count % size > 0 { values += choice(count % size, of: size) }
    shuffle(&values)
    return values
  }
}

/// NumPy's way from a seed to the state of a generator, after O'Neill 2015, "Developing a seed_seq alternative".
private struct SeedSequence {
  private var pool: [UInt32]

  init(_ seed: UInt64) {
    var constant: UInt32 = 0x43b0_d7e5
    func hashed(_ value: UInt32) -> UInt32 {
      let mixed = value ^ constant
      constant &*= 0x931e_8875
      let product = mixed &* constant
      return product ^ product >> 16
    }
    let entropy = [UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32), 0, 0]
    pool = entropy.map(hashed)
    for source in 0..<4 {
      for target in 0..<4 where target != source {
        let mixed = 0xca01_f9dd &* pool[target] &- 0x4973_f715 &* hashed(pool[source])
        pool[target] = mixed ^ mixed >> 16
      }
    }
  }

  func words(_ count: Int) -> [UInt64] {
    var constant: UInt32 = 0x8b51_f9dd
    let halves = (0..<2 * count).map { index -> UInt32 in
      let mixed = pool[index % 4] ^ constant
      constant &*= 0x58f3_8ded
      let product = mixed &* constant
      return product ^ product >> 16
    }
    return (0..<count).map { UInt64(halves[2 * $0]) | UInt64(halves[2 * $0 + 1]) << 32 }
  }
}
