import GraftTensors

/// Steps of one length along the sign of an interpolated momentum, with decoupled decay (Chen et al. 2023, algorithm 2):
/// `w -= rate (sign(beta1 m + (1 - beta1) g) + decay w)`, then `m = beta2 m + (1 - beta2) g`.
public struct Lion: UpdateRule {
  /// The share of the moment in the update's direction.
  public var beta1: Float
  /// The decay of the moment.
  public var beta2: Float

  /// The rule with the paper's defaults.
  public init(beta1: Double = 0.9, beta2: Double = 0.99) { (self.beta1, self.beta2) = (Float(beta1), Float(beta2)) }

  public func state(of shape: Shape) -> [StateDescription] { [StateDescription("exp_avg", shape)] }

  public func update(
    _ weights: inout MutableSpan<Float>, _ state: inout UpdateState, gradient: Span<Float>, shape: Shape, _ context: UpdateContext
  ) {
    let rate = Float(context.learningRate)
    let decay = Float(context.weightDecay)
    state.with(0) { momentum in
      for i in weights.indices {
        let g = gradient[unchecked: i] * context.gradientScale
        let m = momentum[unchecked: i]
        let direction = beta1 * m + (1 - beta1) * g
        let sign: Float = direction > 0 ? 1 : direction < 0 ? -1 : 0
        weights[unchecked: i] -= rate * (sign + decay * weights[unchecked: i])
        momentum[unchecked: i] = beta2 * m + (1 - beta2) * g
      }
    }
  }
}
