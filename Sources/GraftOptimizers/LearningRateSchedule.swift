import Foundation

/// The learning rate of every step, as Transformers' schedulers of the same names give it.
public struct LearningRateSchedule: Sendable, Hashable {
  /// The course of the learning rate behind its warm-up.
  public enum Shape: String, Sendable, Hashable, CaseIterable {
    /// The peak throughout; down to 0 in a line; down to 0 in half a cosine.
    case constant, linear, cosine
    /// One cosine after another.
    case cosineWithRestarts = "cosine_with_restarts"
    /// To a small end value, linearly in effect (power 1).
    case polynomial
    /// `peak * sqrt(w / (step + w))` with the steps `w` of the warm-up.
    case inverseSquareRoot = "inverse_sqrt"
    /// Warm-up, stable, decay: constant, then a half cosine to zero over the last tenth.
    case warmupStableDecay = "wsd"
  }

  /// The course behind the warm-up.
  public var shape: Shape
  /// The highest learning rate.
  public var peak: Double
  /// Steps in which the rate rises from 0 to the peak.
  public var warmupSteps: Int
  /// Optimizer steps, those of the warm-up included.
  public var totalSteps: Int

  /// - Parameter peak: the highest learning rate.
  public init(_ shape: Shape, peak: Double, warmupSteps: Int = 0, totalSteps: Int) {
    (self.shape, self.peak, self.warmupSteps, self.totalSteps) = (shape, peak, warmupSteps, totalSteps)
  }

  /// The rate of a step, counted from 0; the first step of a warm-up has rate 0.
  public func learningRate(atStep step: Int) -> Double {
    if step < warmupSteps { return peak * Double(step) / Double(max(1, warmupSteps)) }
    let progress = Double(step - warmupSteps) / Double(max(1, totalSteps - warmupSteps))
    switch shape {
    case .constant: return peak
    case .linear: return peak * max(0, 1 - progress)
    case .cosine: return peak * max(0, 0.5 * (1 + cos(.pi * progress)))
    case .cosineWithRestarts:
      guard progress < 1 else { return 0 }
      return peak * max(0, 0.5 * (1 + cos(.pi * progress.truncatingRemainder(dividingBy: 1))))
    case .polynomial:
      let end = 1e-7
      return step > totalSteps ? end : (peak - end) * max(0, 1 - progress) + end
    case .inverseSquareRoot:
      let timescale = Double(warmupSteps > 0 ? warmupSteps : 10_000)
      return peak / ((Double(step) + (timescale - Double(warmupSteps))) / timescale).squareRoot()
    case .warmupStableDecay:
      let decaySteps = max(1, (totalSteps - warmupSteps) / 10)
      let decayStart = totalSteps - decaySteps
      guard step >= decayStart else { return peak }
      guard step < totalSteps else { return 0 }
      return peak * 0.5 * (1 + cos(.pi * Double(step - decayStart) / Double(decaySteps)))
    }
  }
}
