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
  private var state: [[Tensor]]

  /// - Parameters:
  ///   - parameters: the trained ones; one without a gradient is left alone.
  ///   - isDecayed: true for a parameter that weight decay applies to.
  ///   - rateFactor: the factor of a parameter's learning rate.
  public init(
    _ rule: any UpdateRule, parameters: [Parameter], weightDecay: Double = 0, isDecayed: (Parameter) -> Bool = { _ in true },
    rateFactor: (Parameter) -> Double = { _ in 1 }
  ) {
    self.rule = rule
    self.parameters = parameters
    self.weightDecay = weightDecay
    self.isDecayed = parameters.map(isDecayed)
    rateFactors = parameters.map(rateFactor)
    state = parameters.map { rule.state(of: $0.shape).map { .zeros($0.shape) } }
  }

  /// Updates every parameter that has a gradient.
  /// - Parameter gradientScale: multiplied into every gradient, as clipping does.
  public func step(_ gradients: borrowing Gradients, learningRate: Double, gradientScale: Double = 1) {
    stepCount += 1
    for (index, parameter) in parameters.enumerated() {
      guard let gradient = gradients[parameter] else { continue }
      let context = UpdateContext(
        step: stepCount, learningRate: learningRate * rateFactors[index], gradientScale: Float(gradientScale),
        weightDecay: isDecayed[index] ? weightDecay : 0)
      for slot in state[index].indices { state[index][slot].makeUnique() }
      apply(to: parameter, state[index], gradient, context)
    }
  }

  /// Updates a parameter whole, or slices of it on all threads.
  private func apply(to parameter: Parameter, _ state: [Tensor], _ gradient: Tensor, _ context: UpdateContext) {
    let shape = parameter.shape
    let parts = state.map { UnsafeMutableBufferPointer(start: $0.mutablePointer, count: $0.elementCount) }
    parameter.update { weights in
      gradient.withElements { gradient in
        guard rule.isElementwise else {
          var state = UpdateState(parts)
          return rule.update(&weights, &state, gradient: gradient, shape: shape, context)
        }
        update(&weights, parts, gradient, shape, context)
      }
    }
  }

  private func update(
    _ weights: inout MutableSpan<Float>, _ parts: [UnsafeMutableBufferPointer<Float>], _ gradient: Span<Float>, _ shape: Shape,
    _ context: UpdateContext
  ) {
    weights.withUnsafeMutableBufferPointer { weights in
      gradient.withUnsafeBufferPointer { gradient in
        parallel(over: weights.count, grain: elementwiseGrain) { part in
          var slice = MutableSpan(_unsafeElements: UnsafeMutableBufferPointer(rebasing: weights[part]))
          var state = UpdateState(parts.map { UnsafeMutableBufferPointer(rebasing: $0[part]) })
          rule.update(
            &slice, &state, gradient: Span(_unsafeElements: UnsafeBufferPointer(rebasing: gradient[part])), shape: shape, context)
        }
      }
    }
  }

  /// The state by `parameter path / state name`, for a checkpoint.
  public var stateTensors: [(name: String, tensor: Tensor)] {
    zip(parameters, state).flatMap { parameter, tensors in
      zip(rule.state(of: parameter.shape), tensors).map { ("\(parameter.path)/\($0.name)", $1) }
    }
  }

  /// Goes on from a checkpoint's state.
  /// - Throws: the error of `tensor` for a name it lacks.
  public func restore(stepCount: Int, tensor: (_ name: String) throws -> Tensor) throws {
    self.stepCount = stepCount
    state = try parameters.map { parameter in try rule.state(of: parameter.shape).map { try tensor("\(parameter.path)/\($0.name)") } }
  }
}
