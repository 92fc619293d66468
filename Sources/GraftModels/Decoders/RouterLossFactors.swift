import GraftJSON

/// The coefficients of routers' losses that a training asks for, in place of those of a configuration.
public struct RouterLossFactors: Sendable, Hashable {
  /// That of the balancing loss; the configuration's where nil, if it asks for the loss at all.
  public var balancing: Double?
  /// That of the z-loss; the configuration's where nil.
  public var stability: Double?

  /// Nil where neither is asked for.
  public init?(balancing: Double?, stability: Double?) {
    guard balancing != nil || stability != nil else { return nil }
    self.balancing = balancing
    self.stability = stability
  }
}

extension ArchitectureConfiguration {
  /// A resolved configuration that asks for losses of routers.
  /// - Throws: `ArchitectureError` for a family without them.
  func asking(for factors: RouterLossFactors) throws(ArchitectureError) -> ArchitectureConfiguration {
    guard contains("router_aux_loss_coef") else {
      throw fail(
        "model_type",
        "\(try string("model_type")) has no losses of routers; leave training.router_aux_loss_coef and training.router_z_loss_coef out")
    }
    let isAsked = try bool("output_router_logits", default: false)
    var json = json
    json["output_router_logits"] = true
    if let balancing = factors.balancing ?? (isAsked ? nil : 0) { json["router_aux_loss_coef"] = .number(balancing) }
    if let stability = factors.stability ?? (isAsked ? nil : 0) { json["router_z_loss_coef"] = .number(stability) }
    return ArchitectureConfiguration(json, source: source, isResolved: isResolved)
  }
}
