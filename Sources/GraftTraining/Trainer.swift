import Foundation
import GraftBatching
import GraftLayers
import GraftOptimizers
import GraftTensors

/// Walks through the steps of a plan: forward, loss, backward, clip, update.
///
/// It knows neither methods nor architectures: what is trained is a list of parameters, what is minimised a function.
public final class Trainer {
  /// The summed loss of a batch, times a scale.
  public typealias Loss = (_ batch: Batch, _ pass: Pass, _ scale: Float) -> Tensor

  public struct Settings: Sendable {
    public var schedule: LearningRateSchedule
    /// Nil or 0 does not clip.
    public var maxGradientNorm: Double?
    public var loggingSteps: Int
    /// True where blocks run again for their gradients, instead of keeping their activations.
    public var recomputation: Bool
    public var seed: Int
    /// Label smoothing and the weights of classes.
    public var crossEntropy = CrossEntropyOptions()

    public init(schedule: LearningRateSchedule, maxGradientNorm: Double?, loggingSteps: Int, recomputation: Bool, seed: Int) {
      (self.schedule, self.maxGradientNorm, self.loggingSteps) = (schedule, maxGradientNorm, loggingSteps)
      (self.recomputation, self.seed) = (recomputation, seed)
    }
  }

  /// What a method does in every step besides being differentiated.
  public struct Hooks {
    /// Added to a step's loss once, whatever the number of its micro-batches; recorded like it.
    public var penalty: () -> Tensor?
    /// Told of an update with its gradients and the factor that it multiplied into them; steps count from 1.
    public var updated: (_ step: Int, _ gradients: Gradients, _ gradientScale: Float) -> Void

    public init(penalty: @escaping () -> Tensor? = { nil }, updated: @escaping (Int, Gradients, Float) -> Void = { _, _, _ in }) {
      (self.penalty, self.updated) = (penalty, updated)
    }
  }

  private let optimizer: Optimizer
  private let settings: Settings
  private let hooks: Hooks
  private let loss: Loss
  private var clock: RunClock
  private var sinceLastLine: (loss: Double, terms: Double)

  /// - Parameter progress: where an interrupted run that goes on had come to.
  public init(
    _ optimizer: Optimizer, settings: Settings, hooks: Hooks = Hooks(), progress: TrainingProgress = TrainingProgress(), loss: @escaping Loss
  ) {
    (self.optimizer, self.settings, self.hooks, self.loss) = (optimizer, settings, hooks, loss)
    clock = RunClock(tokens: progress.tokens, seconds: progress.seconds)
    sinceLastLine = (progress.unloggedLoss, progress.unloggedTerms)
  }

  /// Where training has come to, from the run's very beginning.
  public var progress: TrainingProgress {
    TrainingProgress(tokens: clock.tokens, seconds: clock.elapsed, unloggedLoss: sinceLastLine.loss, unloggedTerms: sinceLastLine.terms)
  }

  /// Does one planned step.
  ///
  /// - Parameters:
  ///   - step: which; its micro-batches share one update and one mean.
  ///   - isLast: whether a log line is due whatever the interval.
  ///   - batch: the batch of a micro-batch's examples.
  /// - Throws: `TrainingError` where the loss or the gradients are not finite, and what `onEvent` throws.
  public func run(
    _ step: PlannedStep, isLast: Bool = false, batch: ([Int]) -> Batch, onEvent: (TrainingEvent) throws -> Void
  ) throws {
    let batches = step.microBatches.map(batch)
    let classWeights = settings.crossEntropy.classWeights
    let weights = batches.map { $0.lossWeight(classWeights: classWeights) }
    let terms = weights.reduce(0, +)
    let random = RandomStream(seed: UInt64(bitPattern: Int64(settings.seed))).split("dropout").split(step.index)
    var execution = Execution.current
    execution.recomputation = settings.recomputation
    var gradients = Gradients()
    var total = 0.0
    var isPenalized = false
    for (index, batch) in batches.enumerated() where weights[index] > 0 {
      var pass = Pass(isTraining: true, random: random.split(index))
      pass.crossEntropy = settings.crossEntropy
      let tape = Tape()
      let part = execution.run {
        tape.record {
          let part = loss(batch, pass, 1 / Float(terms))
          guard !isPenalized, let penalty = hooks.penalty() else { return part }
          return part + penalty
        }
      }
      isPenalized = true
      total += Double(part.scalar)
      tape.addGradients(of: part, to: &gradients)
    }
    let norm = gradients.norm(over: optimizer.parameters)
    guard total.isFinite, norm.isFinite else {
      throw TrainingError(
        .diverged, "step \(step.index + 1): the \(total.isFinite ? "gradient" : "loss") is not finite; lower the learning rate, or check the weights")
    }
    let rate = settings.schedule.learningRate(atStep: step.index)
    // As torch's clip_grad_norm_ does.
    let clip = settings.maxGradientNorm.map { $0 > 0 ? min(1, $0 / (norm + 1e-6)) : 1 } ?? 1
    optimizer.step(gradients, learningRate: rate, gradientScale: clip)
    hooks.updated(step.index + 1, gradients, Float(clip))

    clock.count(batches.reduce(0) { $0 + $1.tokenCount })
    sinceLastLine.loss += total * terms
    sinceLastLine.terms += terms
    let done = step.index + 1
    let left = Double(settings.schedule.totalSteps - done) * clock.secondsPerStep
    try onEvent(
      .stepped(step: done, of: settings.schedule.totalSteps, loss: total, tokensPerSecond: clock.tokensPerSecond, secondsLeft: left))
    guard isLast || done % settings.loggingSteps == 0 else { return }
    try onEvent(
      .logged(
        TrainingLine(
          step: done, epoch: step.epochsCompleted, loss: sinceLastLine.terms > 0 ? sinceLastLine.loss / sinceLastLine.terms : 0, learningRate: rate,
          gradientNorm: norm, tokens: clock.tokens, tokensPerSecond: clock.tokensPerSecond, elapsedSeconds: clock.elapsed)))
    sinceLastLine = (0, 0)
  }

  /// Leaves out of the clock what is not training, such as an evaluation.
  public func pausingClock<R>(_ body: () throws -> R) rethrows -> R {
    let start = ContinuousClock.now
    defer { clock.leaveOut(ContinuousClock.now - start) }
    return try body()
  }
}

/// How long training has taken and how fast it goes.
private struct RunClock {
  private(set) var tokens: Int
  private var start = ContinuousClock.now
  private var steps = 0
  private let earlierSeconds: Double

  init(tokens: Int, seconds: Double) { (self.tokens, earlierSeconds) = (tokens, seconds) }

  mutating func count(_ more: Int) {
    tokens += more
    steps += 1
  }

  mutating func leaveOut(_ duration: Duration) { start += duration }

  private var sinceStart: Double { (ContinuousClock.now - start) / .seconds(1) }
  var elapsed: Double { earlierSeconds + sinceStart }
  var tokensPerSecond: Double { Double(tokens) / max(elapsed, 1e-9) }
  var secondsPerStep: Double { sinceStart / Double(max(1, steps)) }
}
