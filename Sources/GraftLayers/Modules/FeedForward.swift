import GraftTensors

/// The position-wise half of a block: `down(activation(gate x) * up x)`, or `down(activation(up x))` without a gate.
public final class FeedForward {
  public let gate: Linear?, up: Linear, down: Linear
  public let activation: Nonlinearity
  /// The probabilities with which elements of the middle and of the output are dropped in training.
  public let middleDropout: Float, dropout: Float

  public init(gate: Linear?, up: Linear, down: Linear, activation: Nonlinearity, middleDropout: Float = 0, dropout: Float = 0) {
    (self.gate, self.up, self.down, self.activation) = (gate, up, down, activation)
    (self.middleDropout, self.dropout) = (middleDropout, dropout)
  }

  /// - Parameters:
  ///   - x: `[rows, hidden]`, normed.
  ///   - residual: `[rows, hidden]`, added to the result.
  /// - Returns: `[rows, hidden]`.
  public func callAsFunction(_ x: Tensor, _ pass: Pass, addingTo residual: consuming Tensor? = nil) -> Tensor {
    let raised = up(x, pass)
    let middle = gate.map { activation.gated($0(x, pass), raised) } ?? activation(raised)
    let hidden = pass.dropout(middle, middleDropout, at: up.path)
    return down(hidden, joining: residual, dropout: dropout, pass)
  }
}
