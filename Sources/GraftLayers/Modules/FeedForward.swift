import GraftTensors

/// The position-wise half of a block: `down(activation(gate x) * up x)`, or `down(activation(up x))` without a gate.
public final class FeedForward {
  public let gate: Linear?, up: Linear, down: Linear
  public let activation: Activation

  public init(gate: Linear?, up: Linear, down: Linear, activation: Activation) {
    (self.gate, self.up, self.down, self.activation) = (gate, up, down, activation)
  }

  /// - Parameters:
  ///   - x: `[rows, hidden]`, normed.
  ///   - residual: `[rows, hidden]`, added to the result.
  /// - Returns: `[rows, hidden]`.
  public func callAsFunction(_ x: Tensor, _ pass: Pass, addingTo residual: consuming Tensor? = nil) -> Tensor {
    let raised = up(x, pass)
    let hidden = gate.map { gated($0(x, pass), raised, activation) } ?? activate(raised, activation)
    return down(hidden, pass, addingTo: residual)
  }
}
