import GraftConfiguration
import GraftLayers

/// What LoHa and LoKr share, both after LyCORIS: a rank and a scale for every layer, which patterns may set apart.
protocol RankedMethod: TargetedMethod {
  var r: Int { get }
  var alpha: Double { get }
  var rankDropout: Double { get }
  var moduleDropout: Double { get }
  var rankPattern: ConfigTree { get }
  var alphaPattern: ConfigTree { get }
}

extension RankedMethod {
  /// The targets with their ranks and their scales `alpha / r`.
  /// - Throws: `TuningError` for a rank below 1, for dropout, and what `Targets` throws.
  func rankedLayers(in sites: SiteCatalog, isStrict: Bool) throws -> [(layer: Linear, rank: Int, scale: Float)] {
    try requireNone(rankDropout, "rank_dropout")
    try requireNone(moduleDropout, "module_dropout")
    return try targets.linears(in: sites, isStrict: isStrict).map { layer in
      let rank = Int(try patternValue(for: layer.path, in: rankPattern.numbers) ?? Double(r))
      guard rank > 0 else { throw TuningError("r: is \(rank) for \(layer.path); a rank is at least 1") }
      return (layer, rank, Float((try patternValue(for: layer.path, in: alphaPattern.numbers) ?? alpha) / Double(rank)))
    }
  }
}
