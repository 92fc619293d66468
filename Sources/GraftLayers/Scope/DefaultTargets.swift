/// The modules of a family that methods adapt where a configuration names none, as PEFT's tables have them (`utils/constants.py`).
public struct DefaultTargets: Sendable, Hashable {
  /// The layers of LoRA and its relatives; empty for queries and values, or the projection that holds them.
  public var projections: Set<Role>
  /// The layers that IA3 scales; empty for a family without a default.
  public var scaled: Set<Role>
  /// The layers of `scaled` whose inputs are scaled in place of their outputs.
  public var scaledInputs: Set<Role>
  /// The ends of the paths of the norms that norm tuning trains; empty for a family without a default.
  public var norms: [String]

  /// The defaults; a method whose set is empty has none.
  public init(projections: Set<Role> = [], scaled: Set<Role> = [], scaledInputs: Set<Role> = [], norms: [String] = []) {
    self.projections = projections
    self.scaled = scaled
    self.scaledInputs = scaledInputs
    self.norms = norms
  }

  /// The roles of LoRA's layers in a model with layers of the given roles.
  package func projections(among roles: Set<Role>) -> Set<Role> {
    if !projections.isEmpty { return projections }
    return roles.isSuperset(of: [.query, .value]) ? [.query, .value] : [.fusedAttention]
  }
}
