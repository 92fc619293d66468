import Foundation
import GraftJSON
import GraftLayers

extension ArchitectureConfiguration {
  /// The rotary positions of a family, put together from the places where they may stand as Transformers does.
  ///
  /// `rope_scaling` (transformers 4) stands for the whole of `rope_parameters` (transformers 5); what neither says of the
  /// base is `rope_theta` at the top. The length of pretraining goes by the top first.
  /// - Parameters:
  ///   - isPartial: true for a family that rotates the share of a head which `partial_rotary_factor` names, false for one that rotates
  ///     whole heads.
  /// - Throws: `ArchitectureError` for a kind that Transformers does not know, and one that lacks a key or has a value
  ///   that nothing can be computed from.
  public func rotaryFrequencies(headSize: Int, isPartial: Bool = false) throws(ArchitectureError) -> RotaryFrequencies {
    let settings = try rotarySettings()
    let types = json["layer_types"]?.array?.compactMap(\.string) ?? []
    if let type = types.first(where: { settings.json[$0] != nil }) {
      throw settings.fail(type, "unsupported rotary positions by kind of layer; all layers must have the same")
    }
    return try rotaryFrequencies(headSize: headSize, settings, base: try rotaryBase(settings), isPartial: isPartial)
  }

  /// The rotary positions of given settings.
  /// - Parameters:
  ///   - settings: `rope_parameters`, or the part of one kind of layer.
  ///   - base: the base of the frequencies.
  func rotaryFrequencies(
    headSize: Int, _ settings: ArchitectureConfiguration, base: Float, isPartial: Bool = false
  ) throws(ArchitectureError) -> RotaryFrequencies {
    let type = try Self.rotaryType(settings)
    let share = try rotaryShare(settings)
    let isWhole = !isPartial || type == "proportional"
    guard share == 1 || isPartial || type == "default" || type == "proportional" else {
      throw fail("partial_rotary_factor", "unsupported value \(share) with rope_type \(type); it must be 1")
    }
    let size = isWhole ? headSize : Int(share * Float(headSize))
    guard size % 2 == 0, size > 0 else {
      throw fail(isWhole ? "head_dim" : "partial_rotary_factor", "rotates \(size) columns; rotary positions need an even number")
    }
    return RotaryFrequencies(
      rotatedSize: size, base: base,
      scaling: try rotaryScaling(type, settings, base: base, headSize: size, partial: isPartial && !isWhole ? 1 : share))
  }

  /// The section that rotary positions are described in: `rope_scaling`, or `rope_parameters` where that is missing or empty.
  func rotarySettings() throws(ArchitectureError) -> ArchitectureConfiguration {
    let scaling = try section("rope_scaling")
    let chosen = scaling?.json.object?.isEmpty == false ? scaling : try section("rope_parameters")
    return chosen ?? ArchitectureConfiguration([:], source: source)
  }

  private func rotaryBase(_ settings: ArchitectureConfiguration) throws(ArchitectureError) -> Float {
    if settings.json["rope_theta"] != nil { return try settings.positiveFloat("rope_theta") }
    return json["rope_theta"] != nil ? try positiveFloat("rope_theta") : 10_000
  }

  /// The kind of rotary positions, under its newer key or its older one.
  static func rotaryType(_ settings: ArchitectureConfiguration) throws(ArchitectureError) -> String {
    for key in ["rope_type", "type"] where settings.json[key] != nil { return try settings.string(key) }
    return "default"
  }

  private func rotaryShare(_ settings: ArchitectureConfiguration) throws(ArchitectureError) -> Float {
    let place = settings.contains("partial_rotary_factor") ? settings : self
    let share = try place.float("partial_rotary_factor", default: 1)
    guard 0...1 ~= share else { throw place.fail("partial_rotary_factor", "is \(share); it must be between 0 and 1") }
    return share
  }

  /// The length that the model was pretrained on, before it was stretched.
  private func originalLength(_ settings: ArchitectureConfiguration) throws(ArchitectureError) -> Int {
    let key = "original_max_position_embeddings"
    if json[key] != nil { return try count(key) }
    return settings.json[key] != nil ? try settings.count(key) : try count("max_position_embeddings")
  }

  private func rotaryScaling(
    _ type: String, _ settings: ArchitectureConfiguration, base: Float, headSize: Int, partial: Float
  ) throws(ArchitectureError) -> RotaryFrequencies.Scaling {
    switch type {
    case "default": return .none
    case "linear": return .linear(factor: try settings.positiveFloat("factor"))
    case "dynamic":
      guard headSize > 2 else { throw fail("head_dim", "is \(headSize); dynamic rotary positions need more") }
      return .dynamic(factor: try settings.positiveFloat("factor"), originalLength: try count("max_position_embeddings"))
    case "llama3":
      return .llama3(
        factor: try settings.positiveFloat("factor"), lowFactor: try settings.positiveFloat("low_freq_factor"),
        highFactor: try settings.positiveFloat("high_freq_factor"), originalLength: try originalLength(settings))
    case "yarn": return try yarn(settings, base: base)
    case "longrope": return try longRope(settings, pairs: headSize / 2)
    case "proportional":
      let factor = settings.json["factor"] == nil ? 1 : try settings.positiveFloat("factor")
      return .proportional(factor: factor, pairs: Int(partial * Float(headSize)) / 2)
    default:
      throw settings.fail("rope_type", "unsupported \"\(type)\"; known are default, linear, dynamic, llama3, yarn, longrope and proportional")
    }
  }

  /// The factor by which the positions are stretched: `factor`, or the ratio of the two lengths where there is none.
  private func stretch(_ settings: ArchitectureConfiguration, original: Int) throws(ArchitectureError) -> Float {
    settings.contains("factor") ? try settings.positiveFloat("factor") : Float(try count("max_position_embeddings")) / Float(original)
  }

  private func yarn(_ settings: ArchitectureConfiguration, base: Float) throws(ArchitectureError) -> RotaryFrequencies.Scaling {
    guard settings.json["factor"] != nil else { throw settings.fail("factor", "missing; yarn needs it") }
    guard base > 1 else { throw fail("rope_theta", "is \(base); yarn needs more than 1") }
    let original = try originalLength(settings)
    let stretch = try stretch(settings, original: original)
    func turns(_ key: String, _ value: Float) throws(ArchitectureError) -> Float {
      let given = try settings.float(key, default: value)
      return given == 0 ? value : given
    }
    let fast = try turns("beta_fast", 32)
    let slow = try turns("beta_slow", 1)
    guard fast > 0, slow > 0 else { throw settings.fail(fast > 0 ? "beta_slow" : "beta_fast", "must be above 0") }
    return .yarn(
      factor: stretch, betaFast: fast, betaSlow: slow, originalLength: original,
      attentionFactor: try Self.yarnAttentionFactor(settings, stretch: stretch),
      truncates: settings.json["truncate"]?.isNull == true ? false : try settings.bool("truncate", default: true))
  }

  /// YaRN's temperature (Peng et al. 2023, eq. 22), or the ratio of DeepSeek's two.
  private static func yarnAttentionFactor(_ settings: ArchitectureConfiguration, stretch: Float) throws(ArchitectureError) -> Float {
    func scale(_ weight: Float) -> Float { stretch <= 1 ? 1 : 0.1 * weight * log(stretch) + 1 }
    if settings.contains("attention_factor") { return try settings.float("attention_factor") }
    let some = try settings.float("mscale", default: 0)
    let all = try settings.float("mscale_all_dim", default: 0)
    return some != 0 && all != 0 ? scale(some) / scale(all) : scale(1)
  }

  private func longRope(_ settings: ArchitectureConfiguration, pairs: Int) throws(ArchitectureError) -> RotaryFrequencies.Scaling {
    let original = try originalLength(settings)
    let stretch = try stretch(settings, original: original)
    func factors(_ key: String) throws(ArchitectureError) -> [Float] {
      let values = try settings.floats(key, count: pairs)
      guard values.allSatisfy({ $0 > 0 }) else { throw settings.fail(key, "holds a factor that is not above 0") }
      return values
    }
    var attention: Float = 1
    if settings.contains("attention_factor") {
      attention = try settings.float("attention_factor")
    } else if stretch > 1 {
      guard original > 1 else { throw settings.fail("original_max_position_embeddings", "is \(original); longrope needs more") }
      attention = (1 + log(stretch) / log(Float(original))).squareRoot()
    }
    return .longRope(short: try factors("short_factor"), long: try factors("long_factor"), originalLength: original, attentionFactor: attention)
  }
}
