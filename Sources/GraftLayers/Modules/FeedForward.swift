import GraftTensors

/// The position-wise feed-forward: `down(activation(gate x) * up x)`, or `down(activation(up x))` without a gate
/// (Vaswani et al. 2017, section 3.3; Shazeer 2020).
public final class FeedForward: Sublayer {
  /// The layers from the hidden size to the intermediate one.
  public enum Projection {
    /// One layer, `[intermediate, hidden]`.
    case plain(up: Linear)
    /// Two layers, `[intermediate, hidden]` each, of which the first has the activation.
    case gated(gate: Linear, up: Linear)
    /// One layer whose first half of columns is the gate's and whose second is the other's (Phi-3, GLM-4).
    case fused(Linear)
  }

  /// The layers from the hidden size to the intermediate one.
  public let projection: Projection
  /// The layer back, `[hidden, intermediate]`.
  public let down: Linear
  /// The activation between them.
  public let activation: Nonlinearity
  /// The probability with which an element between the two layers is dropped in training.
  public let middleDropout: Float
  /// The probability with which an element of the output is dropped in training.
  public let dropout: Float

  /// - Parameters:
  ///   - middleDropout: the probability with which an element between the two layers is dropped.
  ///   - dropout: the probability with which an element of the output is dropped.
  public init(_ projection: Projection, down: Linear, activation: Nonlinearity, middleDropout: Float = 0, dropout: Float = 0) {
    self.projection = projection
    self.down = down
    self.activation = activation
    self.middleDropout = middleDropout
    self.dropout = dropout
  }

  public var last: Linear? { down }

  public func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, _ pass: Pass, addingTo residual: consuming Tensor? = nil) -> Tensor {
    let (middle, path) = raised(x, pass)
    let hidden = pass.dropout(middle, middleDropout, at: path)
    return down(hidden, joining: residual, dropout: dropout, pass)
  }

  /// The activated states, `[rows, intermediate]`, and the path of the layer that they come from.
  private func raised(_ x: Tensor, _ pass: Pass) -> (Tensor, String) {
    switch projection {
    case .plain(let up): return (activation(up(x, pass)), up.path)
    case .gated(let gate, let up):
      let raised = up(x, pass)
      return (activation.gated(gate(x, pass), raised), up.path)
    case .fused(let layer):
      let joined = layer(x, pass)
      let middle = joined.shape.columns / 2
      return (activation.gated(joined.columns(0..<middle), joined.columns(middle..<2 * middle)), layer.path)
    }
  }
}
