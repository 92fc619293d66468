import GraftTensors

/// A feed-forward of many experts, of which every token uses a few: the weighted sum of what its experts make of it, and of what the
/// experts that all tokens share do (Shazeer et al. 2017; Fedus et al. 2022, "Switch Transformers"; Dai et al. 2024, "DeepSeekMoE").
public final class MixtureOfExperts: Sublayer {
  /// The middle of an expert.
  public enum Middle {
    /// `activation(gate) * up`.
    case gated(Nonlinearity)
    /// gpt-oss's, of one output with gates and ups in turn.
    case clamped(alpha: Float, limit: Float)
  }

  /// The module's path, such as `model.layers.0.mlp`.
  public let path: String
  /// The gate that chooses experts.
  public let router: Router
  /// From the hidden size to the intermediate one: gates and ups.
  public let raising: ExpertProjection
  /// From the intermediate size to the hidden one.
  public let lowering: ExpertProjection
  /// The function between the two projections.
  public let middle: Middle
  /// The experts that every token uses.
  public let shared: FeedForward?
  /// From the hidden size to one number, whose sigmoid the shared experts' output is multiplied by (Qwen2-MoE).
  public let sharedGate: Linear?
  /// The largest distance from 1 of the factors of inputs in training (Fedus et al. 2022, section 2.4).
  public let jitter: Float

  /// The mixture at the path of `scope`.
  public init(
    _ scope: Scope, router: Router, raising: ExpertProjection, lowering: ExpertProjection, middle: Middle, shared: FeedForward? = nil,
    sharedGate: Linear? = nil, jitter: Float = 0
  ) {
    path = scope.path
    self.router = router
    self.raising = raising
    self.lowering = lowering
    self.middle = middle
    self.shared = shared
    self.sharedGate = sharedGate
    self.jitter = jitter
  }

  /// Nil: the sublayer ends in a sum over experts.
  public var last: Linear? { nil }

  public func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, _ pass: Pass, addingTo residual: consuming Tensor? = nil) -> Tensor {
    let x = pass.isTraining && jitter > 0 ? x * pass.random.split(path).split("jitter").uniform(x.shape, in: 1 - jitter..<1 + jitter) : x
    let choice = router(x, pass)
    pass.auxiliary?.leave(choice.logits, as: RouterLosses.logits)
    pass.auxiliary?.leave(ExpertLoad(path: path, rows: choice.routing.loads))
    let raised = raising(dispatchRows(x, choice.routing), choice.routing, pass)
    let hidden =
      switch middle {
      case .gated(let activation): activation.gated(raised[0], raised[1])
      case .clamped(let alpha, let limit): clampedGate(raised[0], alpha: alpha, limit: limit)
      }
    let outputs = lowering(hidden, choice.routing, pass)[0]
    return combineRows(outputs, weights: choice.weights, choice.routing, addingTo: sharedOutput(x, layout, pass, addingTo: residual))
  }

  /// The output of the experts that every token uses, with the residual added where one is given.
  private func sharedOutput(_ x: Tensor, _ layout: SequenceLayout, _ pass: Pass, addingTo residual: consuming Tensor?) -> Tensor? {
    guard let shared else { return residual }
    guard let sharedGate else { return shared(x, layout, pass, addingTo: residual) }
    let gated = scaleRows(shared(x, layout, pass), by: activate(sharedGate(x, pass), .sigmoid))
    return residual.map { $0 + gated } ?? gated
  }
}
