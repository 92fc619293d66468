import GraftErrors
import GraftLayers

/// One line of the training log, about the steps since the last line.
public struct TrainingLine: Sendable, Equatable {
  /// Optimizer steps so far.
  public var step: Int
  /// Epochs done, as a fraction.
  public var epoch: Double
  /// The mean over the loss-carrying tokens (or examples) since the last line, taken before the updates.
  public var loss: Double
  /// The learning rate of the step itself.
  public var learningRate: Double
  /// The L2 norm over all trainable gradients of the last update, before clipping.
  public var gradientNorm: Double
  /// Tokens read since the run began.
  public var tokens: Int
  /// Tokens read in a second, since the run began.
  public var tokensPerSecond: Double
  /// Seconds of training since the run began.
  public var elapsedSeconds: Double
  /// The loss scale, with the steps that it has left out; nil without one.
  public var lossScale: LossScale.State?
  /// The means since the last line of the losses that layers add to the loss, without their coefficients, and of the figures beside it.
  public var auxiliaryLosses: [AuxiliaryLoss] = []
  /// The largest load of an expert as a multiple of the mean one, in the last steps and as a mean over layers; nil without experts.
  public var expertImbalance: Double?
}

/// The trainer's counters, which a checkpoint keeps so that a run that goes on counts and logs as one that never stopped.
public struct TrainingProgress: Sendable, Equatable {
  /// Tokens read.
  public var tokens: Int
  /// Seconds spent training, evaluations left out.
  public var seconds: Double
  /// The summed loss of the steps since the last line of the log.
  public var unloggedLoss: Double
  /// The weight of the loss-carrying tokens (or examples) of those steps.
  public var unloggedTerms: Double
  /// The summed losses beside the task's of those steps, each times the weight of its terms.
  public var unloggedAuxiliary: [AuxiliaryLoss]
  /// The loads of experts in the last steps.
  public var expertLoads: RecentExpertLoads
  /// The state of the loss scale; nil without one.
  public var lossScale: LossScale.State?

  /// The counters of a training; without arguments, of one that has not begun.
  public init(
    tokens: Int = 0, seconds: Double = 0, unloggedLoss: Double = 0, unloggedTerms: Double = 0, unloggedAuxiliary: [AuxiliaryLoss] = [],
    expertLoads: RecentExpertLoads = RecentExpertLoads(), lossScale: LossScale.State? = nil
  ) {
    (self.tokens, self.seconds, self.unloggedLoss, self.unloggedTerms) = (tokens, seconds, unloggedLoss, unloggedTerms)
    (self.unloggedAuxiliary, self.expertLoads, self.lossScale) = (unloggedAuxiliary, expertLoads, lossScale)
  }
}

/// News of a training's steps.
public enum TrainingEvent: Sendable {
  /// A step is done: how many, of how many, with its own loss.
  case stepped(step: Int, of: Int, loss: Double, tokensPerSecond: Double, secondsLeft: Double)
  /// A line of the log is due.
  case logged(TrainingLine)
}

/// The fate of a step's update.
public enum StepOutcome: Sendable, Hashable {
  /// The optimizer changed the weights.
  case updated
  /// Left out; the weights and the optimizer's state are as they were.
  case skipped
}

/// Training that cannot go on.
public struct TrainingError: UserError {
  /// A reason.
  public enum Kind: Sendable {
    /// The loss or a gradient is not finite.
    case diverged
  }

  /// The reason.
  public let kind: Kind
  public let description: String

  /// - Parameter description: one line that says where training ended, and what to do.
  public init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }

  public var status: ErrorStatus { .malformedInput }
}
