/// Damages files in the ways that find mistakes of readers: the same ways for the same seed.
public struct Mutator {
  private var generator: SplitMix
  /// The inputs that pieces are taken from.
  public let seeds: [[UInt8]]

  public init(seed: UInt64, seeds: [[UInt8]]) {
    generator = SplitMix(state: seed)
    self.seeds = seeds
  }

  /// One of the seeds, changed up to four times.
  public mutating func next() -> [UInt8] {
    var bytes = seeds.randomElement(using: &generator) ?? []
    for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty { change(&bytes) }
    return bytes
  }

  private mutating func change(_ bytes: inout [UInt8]) {
    let place = Int.random(in: bytes.indices, using: &generator)
    let end = min(bytes.count, place + Int.random(in: 1...64, using: &generator))
    switch Int.random(in: 0..<8, using: &generator) {
    case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    case 1: bytes[place] = .random(in: 0...255, using: &generator)
    case 2: for index in place..<end { bytes[index] = .random(in: 0...255, using: &generator) }
    case 3: bytes.removeSubrange(place...)
    case 4: bytes.removeSubrange(place..<end)
    case 5:
      let donor = seeds.randomElement(using: &generator) ?? []
      guard !donor.isEmpty else { return }
      let start = Int.random(in: donor.indices, using: &generator)
      bytes.insert(contentsOf: donor[start..<min(donor.count, start + end - place)], at: place)
    case 6: for index in place..<end { bytes[index] = bytes[place] }
    default: setLength(at: place, in: &bytes)
    }
  }

  /// Puts a number where a length might be: at a boundary of something, or absurd.
  private mutating func setLength(at place: Int, in bytes: inout [UInt8]) {
    let size = UInt64(bytes.count)
    let values = [0, 1, size, size - 1, size + 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1 << 40, 1 << 62, .max, .max >> 1, .max / 4]
    let value = values.randomElement(using: &generator) ?? 0
    let width = [1, 2, 4, 8].randomElement(using: &generator) ?? 4
    for index in 0..<width where place + index < bytes.count { bytes[place + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index))) }
  }
}

/// Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators".
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}
