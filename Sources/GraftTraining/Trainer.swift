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

  /// The settings of a training that its steps depend on.
  public struct Settings: Sendable {
    /// The learning rate of every step.
    public var schedule: LearningRateSchedule
    /// Nil or 0 does not clip.
    public var maxGradientNorm: Double?
    /// Steps between two lines of the log.
    public var loggingSteps: Int
    /// True where blocks run again for their gradients, instead of keeping their activations.
    public var recomputation: Bool
    /// The seed of dropout.
    public var seed: Int
    /// Label smoothing and the weights of classes.
    public var crossEntropy = CrossEntropyOptions()
    /// The precision of matrix products.
    public var arithmetic = Execution.Arithmetic.float32
    /// The rule by which losses are scaled, as float16 needs it; nil for none.
    public var lossScale: LossScale.Settings?

    /// Settings in float32, without smoothing, class weights or a loss scale.
    public init(schedule: LearningRateSchedule, maxGradientNorm: Double?, loggingSteps: Int, recomputation: Bool, seed: Int) {
      (self.schedule, self.maxGradientNorm, self.loggingSteps) = (schedule, maxGradientNorm, loggingSteps)
      (self.recomputation, self.seed) = (recomputation, seed)
    }
  }

  /// The part of a method in every step besides being differentiated.
  public struct Hooks {
    /// Added to a step's loss once, whatever the number of its micro-batches; recorded like it.
    public var penalty: () -> Tensor?
    /// Asked with the loss and the norm of the gradients before an update; true leaves it out, as an overflow under a loss
    /// scale does. The schedule and the log go on. Steps count from 1.
    public var skips: (_ step: Int, _ loss: Double, _ gradientNorm: Double) -> Bool
    /// Told of an update with its gradients and the factor that it multiplied into them; steps count from 1.
    public var updated: (_ step: Int, _ gradients: Gradients, _ gradientScale: Float) -> Void

    /// Hooks that do nothing, but for those that are given.
    public init(
      penalty: @escaping () -> Tensor? = { nil }, skips: @escaping (Int, Double, Double) -> Bool = { _, _, _ in false },
      updated: @escaping (Int, Gradients, Float) -> Void = { _, _, _ in }
    ) {
      (self.penalty, self.skips, self.updated) = (penalty, skips, updated)
    }
  }

  private let optimizer: Optimizer
  private let settings: Settings
  private let hooks: Hooks
  private let loss: Loss
  private let communicator: any Communicator
  /// The norm of the gradients of the last update.
  private var updatedNorm = 0.0
  private var lossScale: LossScale?
  private var clock: RunClock
  private var sinceLastLine: (loss: Double, terms: Double, auxiliary: [AuxiliaryLoss])
  private var expertLoads: RecentExpertLoads

  /// - Parameters:
  ///   - communicator: the processes that share every step.
  ///   - progress: the point that an interrupted run had come to.
  public init(
    _ optimizer: Optimizer, settings: Settings, hooks: Hooks = Hooks(), communicator: any Communicator = SingleProcess(),
    progress: TrainingProgress = TrainingProgress(), loss: @escaping Loss
  ) {
    (self.optimizer, self.settings, self.hooks, self.communicator, self.loss) = (optimizer, settings, hooks, communicator, loss)
    clock = RunClock(tokens: progress.tokens, seconds: progress.seconds)
    sinceLastLine = (progress.unloggedLoss, progress.unloggedTerms, progress.unloggedAuxiliary)
    expertLoads = progress.expertLoads
    lossScale = settings.lossScale.map { LossScale($0, state: progress.lossScale) }
  }

  /// The counters of the training, from the run's very beginning.
  public var progress: TrainingProgress {
    TrainingProgress(
      tokens: clock.tokens, seconds: clock.elapsed, unloggedLoss: sinceLastLine.loss, unloggedTerms: sinceLastLine.terms,
      unloggedAuxiliary: sinceLastLine.auxiliary, expertLoads: expertLoads, lossScale: lossScale?.state)
  }

  /// Does one planned step, or this process's share of it.
  ///
  /// - Parameters:
  ///   - step: its micro-batches share one update and one mean.
  ///   - isLast: true where a log line is due whatever the interval.
  ///   - batch: the batch of a micro-batch's examples.
  /// - Returns: the fate of the update.
  /// - Throws: `TrainingError` where the loss or the gradients are not finite and the step is not skipped, and what `batch`, `onEvent` and
  ///   the communicator throw.
  @discardableResult
  public func run(
    _ step: PlannedStep, isLast: Bool = false, batch: ([Int]) throws -> Batch, onEvent: (TrainingEvent) throws -> Void
  ) throws -> StepOutcome {
    var found = try differentiated(step, batch)
    try communicator.sum(&found.gradients, of: optimizer.parameters)
    let scale = lossScale?.state.scale ?? 1
    let norm = found.gradients.norm(over: optimizer.parameters) / scale
    let rate = settings.schedule.learningRate(atStep: step.index)
    let overflowed = lossScale.map { !norm.isFinite && !$0.isAtMinimum } ?? false
    let outcome: StepOutcome = overflowed || hooks.skips(step.index + 1, found.loss, norm) ? .skipped : .updated
    if outcome == .updated {
      guard found.loss.isFinite, norm.isFinite else {
        found.gradients = Gradients()
        throw try divergence(step, batch, isOfLoss: !found.loss.isFinite)
      }
      update(step, found.gradients, norm: norm, rate: rate, scale: scale)
    }
    if overflowed || outcome == .updated { lossScale?.update(overflowed: overflowed) }
    found.gradients = Gradients()
    try tell(step, found, rate: rate, isLast: isLast, onEvent)
    return outcome
  }

  /// The sums of a step over all processes, and the gradients of this one, times the loss scale.
  private struct Differentiated {
    var gradients = Gradients()
    /// The mean over the loss-carrying tokens (or examples) of the step.
    var loss = 0.0
    /// Their weight.
    var terms: Double
    var tokens: Int
    var auxiliary = AuxiliarySums()
  }

  /// Forward and backward over the micro-batches of this process: every `size`-th of the step's, from `rank` on.
  private func differentiated(_ step: PlannedStep, _ batch: ([Int]) throws -> Batch) throws -> Differentiated {
    let share = try stride(from: communicator.rank, to: step.microBatches.count, by: communicator.size).map { ($0, try batch(step.microBatches[$0])) }
    let weights = share.map { $1.lossWeight(classWeights: settings.crossEntropy.classWeights) }
    var counts = [weights.reduce(0, +), Double(share.reduce(0) { $0 + $1.1.tokenCount })]
    try communicator.sum(&counts)
    var found = Differentiated(terms: counts[0], tokens: Int(counts[1]))
    let terms = found.terms
    let random = RandomStream(seed: UInt64(bitPattern: Int64(settings.seed))).split("dropout").split(step.index)
    var execution = Execution.current
    execution.recomputation = settings.recomputation
    if let format = settings.arithmetic.operandFormat {
      execution.arithmetic = settings.arithmetic
      execution.savedForm = .converted(format)
    }
    let scale = lossScale?.state.scale ?? 1
    // Gradients are added up over processes: a penalty is the first one's.
    var isPenalized = communicator.rank != 0
    for ((index, batch), weight) in zip(share, weights) where weight > 0 {
      var pass = Pass(isTraining: true, random: random.split(index))
      pass.crossEntropy = settings.crossEntropy
      let auxiliary = AuxiliaryOutputs()
      pass.auxiliary = auxiliary
      let tape = Tape()
      let part = execution.run {
        tape.record {
          var part = loss(batch, pass, Float(scale) / Float(terms))
          // A mean over the micro-batch's tokens counts by its share of the step.
          if let extra = auxiliary.totalLoss { part = part + Float(scale * weight / terms) * extra }
          guard !isPenalized, let penalty = hooks.penalty() else { return part }
          return part + (scale == 1 ? penalty : Float(scale) * penalty)
        }
      }
      isPenalized = true
      found.loss += Double(part.scalar) / scale
      found.auxiliary.add(auxiliary, weight: weight)
      tape.addGradients(of: part, to: &found.gradients)
    }
    var total = [found.loss]
    try communicator.sum(&total)
    found.loss = total[0]
    try found.auxiliary.sum(over: communicator)
    return found
  }

  /// Returns the error of a step whose loss or gradient is not finite; computed once more, the step shows which operation began it.
  private func divergence(_ step: PlannedStep, _ batch: ([Int]) throws -> Batch, isOfLoss: Bool) throws -> TrainingError {
    let search = NonFiniteSearch()
    _ = try search.run { try differentiated(step, batch) }
    return .divergence(step: step.index + 1, isOfLoss: isOfLoss, search.finding, in: settings)
  }

  /// - Parameters:
  ///   - norm: of the gradients without their scale.
  ///   - scale: the loss scale in the gradients.
  private func update(_ step: PlannedStep, _ gradients: Gradients, norm: Double, rate: Double, scale: Double) {
    // As torch's clip_grad_norm_ does.
    let clip = settings.maxGradientNorm.map { $0 > 0 ? min(1, $0 / (norm + 1e-6)) : 1 } ?? 1
    optimizer.step(gradients, learningRate: rate, gradientScale: clip / scale)
    hooks.updated(step.index + 1, gradients, Float(clip / scale))
    updatedNorm = norm
  }

  /// Counts a step, and tells of it; a loss that overflowed has no part in the log's mean.
  private func tell(
    _ step: PlannedStep, _ found: Differentiated, rate: Double, isLast: Bool, _ onEvent: (TrainingEvent) throws -> Void
  ) throws {
    let total = found.loss
    clock.count(found.tokens)
    if total.isFinite {
      sinceLastLine.loss += total * found.terms
      sinceLastLine.terms += found.terms
      sinceLastLine.auxiliary.add(found.auxiliary.losses)
    }
    expertLoads.count(found.auxiliary.loads)
    let done = step.index + 1
    let left = Double(settings.schedule.totalSteps - done) * clock.secondsPerStep
    try onEvent(
      .stepped(step: done, of: settings.schedule.totalSteps, loss: total, tokensPerSecond: clock.tokensPerSecond, secondsLeft: left))
    guard isLast || done % settings.loggingSteps == 0 else { return }
    try onEvent(.logged(line(of: step, rate: rate)))
    sinceLastLine = (0, 0, [])
  }

  /// The line of the log about the steps since the last one.
  private func line(of step: PlannedStep, rate: Double) -> TrainingLine {
    let (loss, terms, auxiliary) = sinceLastLine
    return TrainingLine(
      step: step.index + 1, epoch: step.epochsCompleted, loss: terms > 0 ? loss / terms : 0, learningRate: rate,
      gradientNorm: updatedNorm, tokens: clock.tokens, tokensPerSecond: clock.tokensPerSecond, elapsedSeconds: clock.elapsed,
      lossScale: lossScale?.state, auxiliaryLosses: auxiliary.map { AuxiliaryLoss($0.name, $0.value / max(terms, 1e-30)) },
      expertImbalance: expertLoads.imbalance)
  }

  /// Leaves out of the clock what is not training, such as an evaluation.
  public func pausingClock<R>(_ body: () throws -> R) rethrows -> R {
    let start = ContinuousClock.now
    defer { clock.leaveOut(ContinuousClock.now - start) }
    return try body()
  }
}
