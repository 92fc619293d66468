import GraftTensors

/// An update rule over a list of parameters, with its state.
public final class Optimizer {
  /// The rule that updates follow.
  public let rule: any UpdateRule
  /// The parameters that are trained, in a fixed order.
  public let parameters: [Parameter]
  /// The decoupled weight decay, times the learning rate.
  public let weightDecay: Double
  /// Steps done.
  public private(set) var stepCount = 0
  private let isDecayed: [Bool]
  private let rateFactors: [Double]
  /// The format that the rule's tensors rest in between steps.
  private let stateFormat: ElementFormat
  private let random: RandomStream
  private let preconditioner: LowRankPreconditioner?
  private var state: [StoredState]

  /// - Parameters:
  ///   - parameters: the trained ones; one without a gradient is left alone.
  ///   - isDecayed: true for a parameter that weight decay applies to.
  ///   - rateFactor: the factor of a parameter's learning rate.
  ///   - stateFormat: the format that the rule's tensors rest in between steps: float32, or bfloat16, rounded by chance.
  ///   - seed: the seed of that chance.
  ///   - preconditioner: the change of gradients that the rule sees; nil for none.
  public init(
    _ rule: any UpdateRule, parameters: [Parameter], weightDecay: Double = 0, isDecayed: (Parameter) -> Bool = { _ in true },
    rateFactor: (Parameter) -> Double = { _ in 1 }, stateFormat: ElementFormat = .float32, seed: UInt64 = 0,
    preconditioner: LowRankPreconditioner? = nil
  ) {
    precondition(stateFormat == .float32 || stateFormat == .bfloat16, "an optimizer's state in \(stateFormat)")
    self.rule = rule
    self.parameters = parameters
    self.weightDecay = weightDecay
    self.isDecayed = parameters.map(isDecayed)
    rateFactors = parameters.map(rateFactor)
    self.stateFormat = stateFormat
    self.preconditioner = preconditioner
    random = RandomStream(seed: seed).split("optimizer")
    state = parameters.map { StoredState(rule.state(of: $0.shape).map { Tensor.zeros($0.shape).converted(to: stateFormat) }) }
  }

  /// Updates every parameter that has a gradient.
  /// - Parameter gradientScale: multiplied into every gradient, as clipping does.
  public func step(_ gradients: borrowing Gradients, learningRate: Double, gradientScale: Double = 1) {
    stepCount += 1
    let changed = preconditioner?.changed(gradients) ?? [:]
    for (index, parameter) in parameters.enumerated() {
      guard let gradient = changed[ObjectIdentifier(parameter)] ?? gradients[parameter] else { continue }
      let context = UpdateContext(
        step: stepCount, learningRate: learningRate * rateFactors[index], gradientScale: Float(gradientScale),
        weightDecay: isDecayed[index] ? weightDecay : 0)
      state[index].makeUnique()
      apply(to: parameter, state[index], gradient, context)
    }
  }

  /// Updates a parameter whole, or slices of it on all threads.
  private func apply(to parameter: Parameter, _ state: StoredState, _ gradient: Tensor, _ context: UpdateContext) {
    let shape = parameter.shape
    let chance = random.split(parameter.path).split(context.step)
    parameter.update { weights in
      gradient.withElements { gradient in
        guard rule.isElementwise else {
          return state.update(nil, chance: chance) { rule.update(&weights, &$0, gradient: gradient, shape: shape, context) }
        }
        update(&weights, state, gradient, shape, context, chance)
      }
    }
  }

  private func update(
    _ weights: inout MutableSpan<Float>, _ state: StoredState, _ gradient: Span<Float>, _ shape: Shape, _ context: UpdateContext,
    _ chance: RandomStream
  ) {
    weights.withUnsafeMutableBufferPointer { weights in
      gradient.withUnsafeBufferPointer { gradient in
        parallel(over: weights.count, grain: elementwiseGrain) { part in
          var slice = MutableSpan(_unsafeElements: UnsafeMutableBufferPointer(rebasing: weights[part]))
          state.update(part, chance: chance) { state in
            rule.update(
              &slice, &state, gradient: Span(_unsafeElements: UnsafeBufferPointer(rebasing: gradient[part])), shape: shape, context)
          }
        }
      }
    }
  }

  /// The state by `parameter path / state name`, for a checkpoint.
  public var stateTensors: [(name: String, tensor: Tensor)] {
    zip(parameters, state).flatMap { parameter, state in
      zip(rule.state(of: parameter.shape), state.tensors).map { ("\(parameter.path)/\($0.name)", $1) }
    }
  }

  /// Goes on from a checkpoint's state.
  /// - Throws: the error of `tensor` for a name it lacks.
  public func restore(stepCount: Int, tensor: (_ name: String) throws -> Tensor) throws {
    self.stepCount = stepCount
    state = try parameters.map { parameter in
      StoredState(try rule.state(of: parameter.shape).map { try tensor("\(parameter.path)/\($0.name)").converted(to: stateFormat) })
    }
  }
}
