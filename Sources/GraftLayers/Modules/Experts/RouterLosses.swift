import GraftTensors

/// The losses of routers, over the logits of all layers: one keeps experts equally busy, the other keeps logits small.
public struct RouterLosses: Sendable, Hashable {
  /// The number of experts that a token is sent to.
  public var choices: Int
  /// The factor of the balancing loss `experts * Σ f_e P_e`, with the share `f_e` of tokens that are sent to expert `e`, and its mean
  /// probability `P_e` (Fedus et al. 2022, "Switch Transformers", eq. 4 to 6).
  public var balancing: Float
  /// The factor of the mean of `log² Σ exp(logits)` (Zoph et al. 2022, "ST-MoE", eq. 5).
  public var stability: Float

  /// The losses with their factors; a loss whose factor is 0 is left out.
  public init(choices: Int, balancing: Float, stability: Float = 0) {
    self.choices = choices
    self.balancing = balancing
    self.stability = stability
  }

  /// The name under which routers leave their logits, `[rows, experts]`.
  static let logits = "router logits"

  /// Adds the losses of what routers have left.
  public func add(to outputs: AuxiliaryOutputs) {
    let logits = outputs.take(Self.logits)
    let rows = logits.reduce(0) { $0 + $1.shape.rows }
    guard rows > 0 else { return }
    if balancing != 0 { outputs.add(loss: balancingLoss(logits, rows: rows), times: balancing, as: "aux_loss") }
    guard stability != 0 else { return }
    outputs.add(loss: 1 / Float(rows) * total(logits.map { squared(logSumExp($0)) }), times: stability, as: "z_loss")
  }

  private func balancingLoss(_ logits: [Tensor], rows: Int) -> Tensor {
    let experts = logits[0].shape.columns
    let probabilities = logits.map { softmax($0) }
    var counts = [Float](repeating: 0, count: experts)
    for layer in probabilities {
      for expert in largestColumns(layer.detached, choices) { counts[Int(expert)] += 1 }
    }
    // The counts are constants: a gradient goes to the probabilities alone.
    let factors = Tensor(counts.map { $0 * Float(experts) / (Float(rows) * Float(rows)) })
    return total(probabilities.map { scaleColumns($0, by: factors) })
  }

  private func squared(_ x: Tensor) -> Tensor { x * x }

  private func total(_ layers: [Tensor]) -> Tensor {
    layers.dropFirst().reduce(sum(layers[0])) { $0 + sum($1) }
  }
}
