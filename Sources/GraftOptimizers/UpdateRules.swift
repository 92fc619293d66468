import CKernels
import Foundation
import GraftTensors

/// `w -= rate (g + decay w)` (Robbins and Monro 1951).
public struct SGD: UpdateRule {
  /// The rule, which has no settings.
  public init() {}
  public func state(of shape: Shape) -> [StateDescription] { [] }

  public func update(
    _ weights: inout MutableSpan<Float>, _ state: inout UpdateState, gradient: Span<Float>, shape: Shape, _ context: UpdateContext
  ) {
    let rate = Float(context.learningRate)
    let decay = Float(context.weightDecay)
    for i in weights.indices {
      weights[unchecked: i] -= rate * (gradient[unchecked: i] * context.gradientScale + decay * weights[unchecked: i])
    }
  }
}

/// SGD along a running sum of gradients (Polyak 1964): `v = momentum v + g`, `w -= rate v`.
public struct Momentum: UpdateRule {
  /// The decay of the velocity.
  public var momentum: Float

  /// The rule with a decay.
  public init(momentum: Double = 0.9) { self.momentum = Float(momentum) }
  public func state(of shape: Shape) -> [StateDescription] { [StateDescription("momentum_buffer", shape)] }

  public func update(
    _ weights: inout MutableSpan<Float>, _ state: inout UpdateState, gradient: Span<Float>, shape: Shape, _ context: UpdateContext
  ) {
    let rate = Float(context.learningRate)
    let decay = Float(context.weightDecay)
    state.with(0) { velocity in
      for i in weights.indices {
        let g = gradient[unchecked: i] * context.gradientScale
        velocity[unchecked: i] = momentum * velocity[unchecked: i] + g + decay * weights[unchecked: i]
        weights[unchecked: i] -= rate * velocity[unchecked: i]
      }
    }
  }
}

/// SGD with each element divided by the root of its running mean square (Tieleman and Hinton 2012).
public struct RMSProp: UpdateRule {
  /// The decay of the mean of squares, and the term beside its root.
  public var smoothing: Float, epsilon: Float

  /// The rule with torch's defaults.
  public init(smoothing: Double = 0.99, epsilon: Double = 1e-8) { (self.smoothing, self.epsilon) = (Float(smoothing), Float(epsilon)) }
  public func state(of shape: Shape) -> [StateDescription] { [StateDescription("square_avg", shape)] }

  public func update(
    _ weights: inout MutableSpan<Float>, _ state: inout UpdateState, gradient: Span<Float>, shape: Shape, _ context: UpdateContext
  ) {
    let rate = Float(context.learningRate)
    let decay = Float(context.weightDecay)
    state.with(0) { square in
      for i in weights.indices {
        let g = gradient[unchecked: i] * context.gradientScale + decay * weights[unchecked: i]
        square[unchecked: i] = smoothing * square[unchecked: i] + (1 - smoothing) * g * g
        weights[unchecked: i] -= rate * g / (square[unchecked: i].squareRoot() + epsilon)
      }
    }
  }
}

/// First and second moments with their biases corrected (Kingma and Ba 2015, algorithm 1). Decay is added to the gradient.
public struct Adam: UpdateRule {
  /// The decays of the first and the second moment, and the term beside the second's root.
  public var beta1: Float, beta2: Float, epsilon: Float

  /// The rule with the paper's defaults.
  public init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8) {
    (self.beta1, self.beta2, self.epsilon) = (Float(beta1), Float(beta2), Float(epsilon))
  }
  public func state(of shape: Shape) -> [StateDescription] { [StateDescription("exp_avg", shape), StateDescription("exp_avg_sq", shape)] }

  public func update(
    _ weights: inout MutableSpan<Float>, _ state: inout UpdateState, gradient: Span<Float>, shape: Shape, _ context: UpdateContext
  ) {
    let correction = MomentCorrection(beta1: beta1, beta2: beta2, context)
    let decay = Float(context.weightDecay)
    state.with(0, 1) { first, second in
      for i in weights.indices {
        let g = gradient[unchecked: i] * context.gradientScale + decay * weights[unchecked: i]
        first[unchecked: i] = beta1 * first[unchecked: i] + (1 - beta1) * g
        second[unchecked: i] = beta2 * second[unchecked: i] + (1 - beta2) * g * g
        weights[unchecked: i] -= correction.stepSize * first[unchecked: i] / (second[unchecked: i].squareRoot() / correction.second + epsilon)
      }
    }
  }
}

/// Adam with the decay applied to the weights themselves (Loshchilov and Hutter 2019, algorithm 2).
public struct AdamW: UpdateRule {
  /// The decays of the first and the second moment, and the term beside the second's root.
  public var beta1: Float, beta2: Float, epsilon: Float

  /// The rule with the paper's defaults.
  public init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8) {
    (self.beta1, self.beta2, self.epsilon) = (Float(beta1), Float(beta2), Float(epsilon))
  }
  public func state(of shape: Shape) -> [StateDescription] { [StateDescription("exp_avg", shape), StateDescription("exp_avg_sq", shape)] }

  public func update(
    _ weights: inout MutableSpan<Float>, _ state: inout UpdateState, gradient: Span<Float>, shape: Shape, _ context: UpdateContext
  ) {
    let correction = MomentCorrection(beta1: beta1, beta2: beta2, context)
    let decay = Float(context.learningRate * context.weightDecay)
    state.with(0, 1) { first, second in
      withPointers(&weights, &first, &second, gradient) { weights, first, second, gradient, count in
        graft_adamw(
          weights, first, second, gradient, context.gradientScale, correction.stepSize, correction.second, beta1, beta2, epsilon, decay, count)
      }
    }
  }
}

/// Lets `body` hand as many elements of each to a kernel; nothing where there are none.
private func withPointers(
  _ weights: inout MutableSpan<Float>, _ first: inout MutableSpan<Float>, _ second: inout MutableSpan<Float>, _ gradient: Span<Float>,
  _ body: (
    UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>, UnsafePointer<Float>, _ count: Int
  ) -> Void
) {
  weights.withUnsafeMutableBufferPointer { weights in
    first.withUnsafeMutableBufferPointer { first in
      second.withUnsafeMutableBufferPointer { second in
        gradient.withUnsafeBufferPointer { gradient in
          guard let w = weights.baseAddress, let m = first.baseAddress, let v = second.baseAddress, let g = gradient.baseAddress else { return }
          body(w, m, v, g, weights.count)
        }
      }
    }
  }
}

/// The corrections for moments that start at zero.
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
