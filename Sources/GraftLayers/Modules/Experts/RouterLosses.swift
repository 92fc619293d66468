import GraftTensors

/// The losses of routers, over the logits and the loads of all layers: one keeps experts equally busy, the other keeps logits small.
public struct RouterLosses: Sendable, Hashable {
  /// The factor of the balancing loss `experts * Σ f_e P_e`, with the share `f_e` of tokens that are sent to expert `e`, and its mean
  /// probability `P_e` (Fedus et al. 2022, "Switch Transformers", eq. 4 to 6).
  public var balancing: Float
  /// The factor of the mean of `log² Σ exp(logits)` (Zoph et al. 2022, "ST-MoE", eq. 5).
  public var stability: Float

  /// The losses with their factors; a loss whose factor is 0 is left out.
  public init(balancing: Float, stability: Float = 0) {
    self.balancing = balancing
    self.stability = stability
  }

  /// The name under which routers leave their logits, `[rows, experts]`.
  static let logits = "router logits"

  /// Adds the losses of what routers have left: the logits, and with those of each layer its load.
  public func add(to outputs: AuxiliaryOutputs) {
    let logits = outputs.take(Self.logits)
    let rows = logits.reduce(0) { $0 + $1.shape.rows }
    guard rows > 0 else { return }
    if balancing != 0 { outputs.add(loss: balancingLoss(logits, outputs.loads.suffix(logits.count), rows: rows), times: balancing, as: "aux_loss") }
    guard stability != 0 else { return }
    outputs.add(loss: 1 / Float(rows) * total(logits.map { squared(logSumExp($0)) }), times: stability, as: "z_loss")
  }

  private func balancingLoss(_ logits: [Tensor], _ loads: ArraySlice<ExpertLoad>, rows: Int) -> Tensor {
    let experts = logits[0].shape.columns
    let counts = (0..<experts).map { expert in loads.reduce(0) { $0 + $1.rows[expert] } }
    // The counts are constants: a gradient goes to the probabilities alone.
    let factors = Tensor(counts.map { Float($0) * Float(experts) / (Float(rows) * Float(rows)) })
    return total(logits.map { scaleColumns(softmax($0), by: factors) })
  }

  private func squared(_ x: Tensor) -> Tensor { x * x }

  private func total(_ layers: [Tensor]) -> Tensor {
    layers.dropFirst().reduce(sum(layers[0])) { $0 + sum($1) }
  }
}
