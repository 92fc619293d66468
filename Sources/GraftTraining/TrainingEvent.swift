/// One line of the training log: what happened since the last.
public struct TrainingLine: Sendable, Equatable {
  /// Optimizer steps so far.
  public var step: Int
  public var epoch: Double
  /// The mean over the loss-carrying tokens (or examples) since the last line, taken before the updates.
  public var loss: Double
  /// That of the step itself.
  public var learningRate: Double
  /// The L2 norm over all trainable gradients, before clipping.
  public var gradientNorm: Double
  /// Tokens read since the run began.
  public var tokens: Int
  public var tokensPerSecond: Double
  public var elapsedSeconds: Double
}

/// The counters of a training: kept in a checkpoint, so that a run that goes on counts and logs as one that never stopped.
public struct TrainingProgress: Sendable, Equatable {
  /// Tokens read.
  public var tokens: Int
  /// Seconds spent training, evaluations left out.
  public var seconds: Double
  /// The summed loss of the steps since the last line of the log.
  public var unloggedLoss: Double
  /// The weight of the loss-carrying tokens (or examples) of those steps.
  public var unloggedTerms: Double

  public init(tokens: Int = 0, seconds: Double = 0, unloggedLoss: Double = 0, unloggedTerms: Double = 0) {
    (self.tokens, self.seconds, self.unloggedLoss, self.unloggedTerms) = (tokens, seconds, unloggedLoss, unloggedTerms)
  }
}

/// An event of the trainer, told while it works.
public enum TrainingEvent: Sendable {
  /// A step is done: how many, of how many, with its own loss.
  case stepped(step: Int, of: Int, loss: Double, tokensPerSecond: Double, secondsLeft: Double)
  case logged(TrainingLine)
}

/// Training that cannot go on.
public struct TrainingError: Error, CustomStringConvertible {
  public enum Kind: Sendable {
    /// The loss or a gradient is not finite.
    case diverged
  }

  public let kind: Kind
  public let description: String

  public init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }
}
