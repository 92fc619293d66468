import Foundation

/// PyTorch's generator of random numbers on CPUs, drawn from as PyTorch does: what a configuration's seed stands for can be drawn again here.
///
/// Matsumoto and Nishimura 1998, "Mersenne twister", with 32-bit words.
public struct TorchGenerator: Sendable {
  private static let length = 624, distance = 397
  private var state: [UInt32]
  private var position = length

  /// The generator behind `torch.Generator().manual_seed(seed)`.
  public init(seed: UInt64) {
    state = [UInt32(truncatingIfNeeded: seed)]
    for index in 1..<Self.length {
      let last = state[index - 1]
      state.append(1_812_433_253 &* (last ^ last >> 30) &+ UInt32(index))
    }
  }

  /// The next 32 random bits.
  public mutating func next() -> UInt32 {
    if position == Self.length { twist() }
    var word = state[position]
    position += 1
    word ^= word >> 11
    word ^= word << 7 & 0x9d2c_5680
    word ^= word << 15 & 0xefc6_0000
    return word ^ word >> 18
  }

  private mutating func twist() {
    for index in 0..<Self.length {
      let joined = state[index] & 0x8000_0000 | state[(index + 1) % Self.length] & 0x7fff_ffff
      state[index] = state[(index + Self.distance) % Self.length] ^ joined >> 1 ^ (joined & 1 == 0 ? 0 : 0x9908_b0df)
    }
    position = 0
  }

  private mutating func unit() -> Float { Float(next() & 0xff_ffff) * 0x1p-24 }

  /// `torch.rand`, or `uniform_` between bounds.
  public mutating func uniform(_ count: Int, in range: Range<Float> = 0..<1) -> [Float] {
    (0..<count).map { _ in range.lowerBound.addingProduct(unit(), range.upperBound - range.lowerBound) }
  }

  /// `kaiming_uniform_`.
  /// - Parameter slope: of the rectifier that the bound is for.
  public mutating func kaimingUniform(_ count: Int, fan: Int, slope: Double = 0) -> [Float] {
    let bound = Self.kaimingBound(fan: fan, slope: slope)
    return uniform(count, in: -bound..<bound)
  }

  /// `gain * sqrt(3 / fan)`, with the gain `sqrt(2 / (1 + slope²))`.
  public static func kaimingBound(fan: Int, slope: Double = 0) -> Float {
    Float(3.0.squareRoot() * ((2 / (1 + slope * slope)).squareRoot() / Double(fan).squareRoot()))
  }

  /// `torch.randn`, or `normal_` of a deviation: Box and Muller 1958, sixteen at a time where there are so many.
  ///
  /// PyTorch's vector units round logarithms and sines a little otherwise.
  public mutating func normal(_ count: Int, standardDeviation: Float = 1) -> [Float] {
    guard count >= 16 else { return fewNormal(count, standardDeviation: Double(standardDeviation)) }
    var values = uniform(count)
    func turn(_ start: Int, _ values: inout [Float]) {
      for index in start..<start + 8 {
        let radius = (-2 * log(1 - values[index])).squareRoot()
        let angle = 2 * Float.pi * values[index + 8]
        values[index] = radius * cos(angle) * standardDeviation
        values[index + 8] = radius * sin(angle) * standardDeviation
      }
    }
    for start in stride(from: 0, through: count - 16, by: 16) { turn(start, &values) }
    guard count % 16 != 0 else { return values }
    // The last sixteen are drawn again.
    values.replaceSubrange(count - 16..<count, with: uniform(16))
    turn(count - 16, &values)
    return values
  }

  /// Fewer than sixteen values are drawn in double precision, two at a time.
  private mutating func fewNormal(_ count: Int, standardDeviation: Double) -> [Float] {
    func unit() -> Double {
      let high = UInt64(next()) << 32
      return Double((high | UInt64(next())) & 0x1f_ffff_ffff_ffff) * 0x1p-53
    }
    var values: [Float] = []
    while values.count < count {
      let (turn, distance) = (2 * Double.pi * unit(), unit())
      let radius = (-2 * log1p(-distance)).squareRoot()
      values += [Float(radius * cos(turn) * standardDeviation), Float(radius * sin(turn) * standardDeviation)]
    }
    return Array(values.prefix(count))
  }

  /// The first of the numbers below `size` in the order of `torch.randperm`.
  public mutating func permutation(of size: Int, prefix: Int) -> [Int] {
    // What stands at the places that an exchange has reached.
    var moved: [Int: Int] = [:]
    let result = (0..<min(prefix, size)).map { place -> Int in
      guard place < size - 1 else { return moved[place] ?? place }
      let other = place + Int(next()) % (size - place)
      let taken = moved[other] ?? other
      moved[other] = moved[place] ?? place
      return taken
    }
    for _ in 0..<max(0, size - 1 - prefix) { _ = next() }
    return result
  }
}
