import GraftTensors

/// What one step of an update rule is given for some consecutive elements of a parameter.
public struct UpdateContext: Sendable {
  /// Counted from 1.
  public var step: Int
  public var learningRate: Double
  /// Multiplied into the gradient, as clipping and loss scaling do.
  public var gradientScale: Float
  /// The parameter's own: 0 where decay leaves it out.
  public var weightDecay: Double
}

/// How weights follow from gradients: a value with its hyper-parameters, applied elementwise.
public protocol UpdateRule: Sendable {
  /// The tensors that the rule keeps for each parameter, all zero at first, such as `["exp_avg", "exp_avg_sq"]`.
  var stateNames: [String] { get }
  /// Updates `count` consecutive elements in place.
  func update(
    _ weights: UnsafeMutablePointer<Float>, _ state: [UnsafeMutablePointer<Float>], _ gradient: UnsafePointer<Float>, count: Int,
    _ context: UpdateContext)
}

/// An update rule over a list of parameters, with its state.
public final class Optimizer {
  public let rule: any UpdateRule
  public let parameters: [Parameter]
  public let weightDecay: Double
  /// Steps done.
  public private(set) var stepCount = 0
  private let isDecayed: [Bool]
  private let rateFactors: [Double]
  private var state: [[Tensor]]

  /// - Parameters:
  ///   - parameters: those to train; one without a gradient is left alone.
  ///   - isDecayed: whether weight decay applies to a parameter.
  ///   - rateFactor: what a parameter's learning rate is multiplied by.
  public init(
    _ rule: any UpdateRule, parameters: [Parameter], weightDecay: Double = 0, isDecayed: (Parameter) -> Bool = { _ in true },
    rateFactor: (Parameter) -> Double = { _ in 1 }
  ) {
    self.rule = rule
    self.parameters = parameters
    self.weightDecay = weightDecay
    self.isDecayed = parameters.map(isDecayed)
    rateFactors = parameters.map(rateFactor)
    state = parameters.map { parameter in rule.stateNames.map { _ in .zeros(parameter.shape) } }
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
      let moments = state[index].map(\.mutablePointer)
      let from = gradient.pointer
      parameter.update { weights in
        let count = weights.count
        let base = weights.withUnsafeMutableBufferPointer { $0.baseAddress.unsafelyUnwrapped }
        parallel(over: count, grain: elementwiseGrain) { part in
          rule.update(base + part.lowerBound, moments.map { $0 + part.lowerBound }, from + part.lowerBound, count: part.count, context)
        }
      }
    }
  }

  /// The state by `parameter path / state name`, for a checkpoint.
  public var stateTensors: [(name: String, tensor: Tensor)] {
    zip(parameters, state).flatMap { parameter, tensors in
      zip(rule.stateNames, tensors).map { ("\(parameter.path)/\($0)", $1) }
    }
  }

  /// Goes on from a checkpoint's state.
  /// - Throws: what `tensor` throws for a name it lacks.
  public func restore(stepCount: Int, tensor: (_ name: String) throws -> Tensor) throws {
    self.stepCount = stepCount
    state = try parameters.map { parameter in try rule.stateNames.map { try tensor("\(parameter.path)/\($0)") } }
  }
}
