import CKernels
import Foundation

/// `w -= rate (g + decay w)` (Robbins and Monro 1951).
public struct SGD: UpdateRule {
  public init() {}
  public var stateNames: [String] { [] }

  public func update(
    _ weights: UnsafeMutablePointer<Float>, _ state: [UnsafeMutablePointer<Float>], _ gradient: UnsafePointer<Float>, count: Int,
    _ context: UpdateContext
  ) {
    let rate = Float(context.learningRate)
    let decay = Float(context.weightDecay)
    for i in 0..<count { weights[i] -= rate * (gradient[i] * context.gradientScale + decay * weights[i]) }
  }
}

/// SGD along a running sum of gradients (Polyak 1964): `v = momentum v + g`, `w -= rate v`.
public struct Momentum: UpdateRule {
  public var momentum: Float

  public init(momentum: Double = 0.9) { self.momentum = Float(momentum) }
  public var stateNames: [String] { ["momentum_buffer"] }

  public func update(
    _ weights: UnsafeMutablePointer<Float>, _ state: [UnsafeMutablePointer<Float>], _ gradient: UnsafePointer<Float>, count: Int,
    _ context: UpdateContext
  ) {
    let rate = Float(context.learningRate)
    let decay = Float(context.weightDecay)
    let velocity = state[0]
    for i in 0..<count {
      velocity[i] = momentum * velocity[i] + gradient[i] * context.gradientScale + decay * weights[i]
      weights[i] -= rate * velocity[i]
    }
  }
}

/// SGD with each element divided by the root of its running mean square (Tieleman and Hinton 2012).
public struct RMSProp: UpdateRule {
  public var smoothing: Float, epsilon: Float

  public init(smoothing: Double = 0.99, epsilon: Double = 1e-8) { (self.smoothing, self.epsilon) = (Float(smoothing), Float(epsilon)) }
  public var stateNames: [String] { ["square_avg"] }

  public func update(
    _ weights: UnsafeMutablePointer<Float>, _ state: [UnsafeMutablePointer<Float>], _ gradient: UnsafePointer<Float>, count: Int,
    _ context: UpdateContext
  ) {
    let rate = Float(context.learningRate)
    let decay = Float(context.weightDecay)
    let square = state[0]
    for i in 0..<count {
      let g = gradient[i] * context.gradientScale + decay * weights[i]
      square[i] = smoothing * square[i] + (1 - smoothing) * g * g
      weights[i] -= rate * g / (square[i].squareRoot() + epsilon)
    }
  }
}

/// First and second moments with their biases corrected (Kingma and Ba 2015, algorithm 1). Decay is added to the gradient.
public struct Adam: UpdateRule {
  public var beta1: Float, beta2: Float, epsilon: Float

  public init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8) {
    (self.beta1, self.beta2, self.epsilon) = (Float(beta1), Float(beta2), Float(epsilon))
  }
  public var stateNames: [String] { ["exp_avg", "exp_avg_sq"] }

  public func update(
    _ weights: UnsafeMutablePointer<Float>, _ state: [UnsafeMutablePointer<Float>], _ gradient: UnsafePointer<Float>, count: Int,
    _ context: UpdateContext
  ) {
    let correction = MomentCorrection(beta1: beta1, beta2: beta2, context)
    let decay = Float(context.weightDecay)
    let first = state[0]
    let second = state[1]
    for i in 0..<count {
      let g = gradient[i] * context.gradientScale + decay * weights[i]
      first[i] = beta1 * first[i] + (1 - beta1) * g
      second[i] = beta2 * second[i] + (1 - beta2) * g * g
      weights[i] -= correction.stepSize * first[i] / (second[i].squareRoot() / correction.second + epsilon)
    }
  }
}

/// Adam with the decay applied to the weights themselves (Loshchilov and Hutter 2019, algorithm 2).
public struct AdamW: UpdateRule {
  public var beta1: Float, beta2: Float, epsilon: Float

  public init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8) {
    (self.beta1, self.beta2, self.epsilon) = (Float(beta1), Float(beta2), Float(epsilon))
  }
  public var stateNames: [String] { ["exp_avg", "exp_avg_sq"] }

  public func update(
    _ weights: UnsafeMutablePointer<Float>, _ state: [UnsafeMutablePointer<Float>], _ gradient: UnsafePointer<Float>, count: Int,
    _ context: UpdateContext
  ) {
    let correction = MomentCorrection(beta1: beta1, beta2: beta2, context)
    graft_adamw(
      weights, state[0], state[1], gradient, context.gradientScale, correction.stepSize, correction.second, beta1, beta2, epsilon,
      Float(context.learningRate * context.weightDecay), count)
  }
}

/// What makes up for moments that start at zero.
private struct MomentCorrection {
  /// The learning rate over `1 - beta1^t`.
  let stepSize: Float
  /// The root of `1 - beta2^t`.
  let second: Float

  init(beta1: Float, beta2: Float, _ context: UpdateContext) {
    stepSize = Float(context.learningRate / (1 - pow(Double(beta1), Double(context.step))))
    second = Float((1 - pow(Double(beta2), Double(context.step))).squareRoot())
  }
}
