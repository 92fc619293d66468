import GraftLayers

extension GGUFMetadata {
  /// Adds the rotary positions.
  /// - Parameter hasLongRope: true for an architecture with the factors of LongRoPE, which are tensors.
  /// - Throws: `ArchitectureError` for a scaling that the architecture does not have.
  mutating func add(
    _ rotary: RotaryFrequencies, _ config: ArchitectureConfiguration, hasLongRope: Bool = false
  ) throws(ArchitectureError) {
    add("rope.dimension_count", rotary.rotatedSize)
    add("rope.freq_base", rotary.base)
    switch rotary.scaling {
    case .none, .llama3: break
    case .longRope where hasLongRope: break
    case .linear(let factor):
      add("rope.scaling.type", "linear")
      add("rope.scaling.factor", factor)
    case .yarn(let factor, _, _, let originalLength, _, _):
      add("rope.scaling.type", "yarn")
      add("rope.scaling.factor", factor)
      add("rope.scaling.original_context_length", originalLength)
    case .dynamic: throw config.withoutCounterpart("dynamic rotary scaling")
    case .doubling: throw config.withoutCounterpart("positions that grow with the length")
    case .longRope: throw config.withoutCounterpart("longrope rotary scaling")
    case .proportional: throw config.withoutCounterpart("proportional rotary scaling")
    }
  }
}

extension RotaryFrequencies {
  /// The divisors of llama.cpp's rotary frequencies, where a model blends stretched and untouched ones; nil otherwise.
  var ggufFactors: [Float]? {
    guard case .llama3 = scaling else { return nil }
    var plain = self
    plain.scaling = .none
    return zip(plain.inverseFrequencies(length: 1), inverseFrequencies(length: 1)).map { $0 / $1 }
  }
}
