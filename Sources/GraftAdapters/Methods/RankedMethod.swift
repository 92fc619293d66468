import GraftConfiguration
import GraftLayers

/// A method after LyCORIS, as LoHa and LoKr are: a rank and a scale for every layer, which patterns may set apart.
protocol RankedMethod: LayerTargetedMethod {
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
  func rankedLayers(in sites: SiteCatalog, for attachment: Attachment) throws -> [(layer: Linear, rank: Int, scale: Float)] {
    try requireNone(rankDropout, "rank_dropout")
    try requireNone(moduleDropout, "module_dropout")
    let layers = try targets.linears(in: sites, for: attachment)
    let ranks = try PatternTable("rank_pattern", rankPattern.numbers)
    let alphas = try PatternTable("alpha_pattern", alphaPattern.numbers)
    for patterns in [ranks, alphas] { try patterns.requireUse(by: layers.map(\.path), in: attachment) }
    return try layers.map { layer in
      let rank = Int(ranks[layer.path] ?? Double(r))
      guard rank > 0 else { throw TuningError("r: is \(rank) for \(layer.path); a rank is at least 1") }
      return (layer, rank, Float((alphas[layer.path] ?? alpha) / Double(rank)))
    }
  }
}
