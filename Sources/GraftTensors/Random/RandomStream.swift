import CKernels

/// Counter-based randomness: values are a function of `(seed, purpose, position)` alone, so that runs repeat to the bit,
/// recomputation draws the same mask, and adding a layer never changes another's start.
public struct RandomStream: Sendable, Hashable {
  /// The number that all draws of the stream are a function of.
  public let key: UInt64

  /// The stream of a seed.
  public init(seed: UInt64) { key = Self.mixed(seed ^ 0x6772_6166_7473_6565) }

  private init(key: UInt64) { self.key = key }

  /// The independent stream for a name, such as a parameter's path.
  public func split(_ name: String) -> RandomStream {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return RandomStream(key: Self.mixed(key ^ Self.mixed(hash)))
  }

  /// The independent stream for a number, such as a step.
  public func split(_ number: Int) -> RandomStream {
    RandomStream(key: Self.mixed(key &+ Self.mixed(UInt64(bitPattern: Int64(number)) &+ 0x9e37_79b9_7f4a_7c15)))
  }

  /// Values of the uniform distribution on `[lower, upper)`.
  public func uniform(_ shape: Shape, in range: Range<Float> = 0..<1) -> Tensor {
    let out = Tensor(uninitialized: shape)
    let base = out.mutablePointer
    let width = range.upperBound - range.lowerBound
    parallel(over: shape.elementCount, grain: elementwiseGrain) { part in
      graft_uniform(base + part.lowerBound, key, UInt64(part.lowerBound), part.count)
      for index in part { base[index] = range.lowerBound + width * base[index] }
    }
    return out
  }

  /// Values of the normal distribution.
  public func normal(_ shape: Shape, mean: Float = 0, standardDeviation: Float = 1) -> Tensor {
    let out = Tensor(uninitialized: shape)
    let base = out.mutablePointer
    parallel(over: shape.elementCount, grain: elementwiseGrain) { part in
      graft_normal(base + part.lowerBound, key, UInt64(part.lowerBound), part.count)
      for index in part { base[index] = mean + standardDeviation * base[index] }
    }
    return out
  }

  /// One uniform value in `[0, 1)` at a position of the stream.
  public func unit(at position: Int) -> Float {
    var value: Float = 0
    graft_uniform(&value, key, UInt64(position), 1)
    return value
  }

  /// The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
  private static func mixed(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
