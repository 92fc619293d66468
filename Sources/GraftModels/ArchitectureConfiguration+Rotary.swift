import Foundation
import GraftLayers

extension ArchitectureConfiguration {
  /// The rotary positions of a family, in either spelling: `rope_theta` beside `rope_scaling` (transformers 4), or nested
  /// `rope_parameters` (transformers 5).
  public func rotaryFrequencies(
    headSize: Int, defaultBase: Float = 10_000, partialFactor: Float = 1, isInterleaved: Bool = false
  ) throws(ArchitectureError) -> RotaryFrequencies {
    let nested = section("rope_parameters")
    let settings = nested ?? section("rope_scaling")
    let place = nested ?? self
    let base = try place.float("rope_theta", default: defaultBase)
    let partial = try place.float("partial_rotary_factor", default: try float("partial_rotary_factor", default: partialFactor))
    let rotated = Int(Float(headSize) * partial)
    guard rotated > 0, rotated % 2 == 0 else { throw fail("head_dim", "rotates \(rotated) components; they must be an even number") }
    return RotaryFrequencies(
      rotatedSize: rotated, base: base, scaling: try settings.map { settings throws(ArchitectureError) in try rotaryScaling(settings) } ?? .none,
      isInterleaved: isInterleaved)
  }

  private func rotaryScaling(_ settings: ArchitectureConfiguration) throws(ArchitectureError) -> RotaryFrequencies.Scaling {
    let type = try settings.string("rope_type", default: try settings.string("type", default: "default"))
    func factor() throws(ArchitectureError) -> Float { try settings.float("factor", default: 1) }
    func originalLength() throws(ArchitectureError) -> Int {
      let place = settings.contains("original_max_position_embeddings") ? settings : self
      return try place.count("original_max_position_embeddings", default: try count("max_position_embeddings", default: 2048))
    }
    switch type {
    case "default": return .none
    case "linear": return .linear(factor: try factor())
    case "dynamic": return .dynamic(factor: try factor(), originalLength: try count("max_position_embeddings", default: 2048))
    case "llama3":
      return .llama3(
        factor: try factor(), lowFactor: try settings.float("low_freq_factor", default: 1), highFactor: try settings.float("high_freq_factor", default: 4),
        originalLength: try originalLength())
    case "yarn":
      let original = try originalLength()
      // As Transformers does: without a factor of its own, the ratio of the two lengths.
      let ratio = Float(try count("max_position_embeddings", default: original)) / Float(original)
      let stretch = try settings.float("factor", default: ratio)
      return .yarn(
        factor: stretch, betaFast: try settings.float("beta_fast", default: 32), betaSlow: try settings.float("beta_slow", default: 1),
        originalLength: original, attentionFactor: try Self.yarnAttentionFactor(settings, stretch: stretch),
        truncates: try settings.bool("truncate", default: true))
    default:
      throw settings.fail("rope_type", "\"\(type)\" is not supported; known are default, linear, dynamic, llama3 and yarn")
    }
  }

  /// YaRN's temperature (Peng et al. 2023, eq. 22), or the ratio of DeepSeek's two.
  private static func yarnAttentionFactor(_ settings: ArchitectureConfiguration, stretch: Float) throws(ArchitectureError) -> Float {
    func scale(_ weight: Float) -> Float { stretch <= 1 ? 1 : 0.1 * weight * log(stretch) + 1 }
    if settings.contains("attention_factor") { return try settings.float("attention_factor", default: 1) }
    let some = try settings.float("mscale", default: 0), all = try settings.float("mscale_all_dim", default: 0)
    return some != 0 && all != 0 ? scale(some) / scale(all) : scale(1)
  }
}
