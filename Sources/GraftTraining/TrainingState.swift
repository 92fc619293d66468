/// The point that a training has come to, besides weights and the optimizer's moments: one that goes on from it ends as one that never
/// stopped.
public struct TrainingState: Sendable, Equatable {
  /// Optimizer steps done.
  public var step = 0
  /// Epochs done, as a fraction.
  public var epoch = 0.0
  /// Optimizer steps of the whole training.
  public var stepCount: Int
  /// The counters of the trainer.
  public var progress = TrainingProgress()
  /// The best weights so far.
  public var selection: BestSelection
  /// True where early stopping has ended the training.
  public var isStopped = false
  /// The last step whose weights were evaluated.
  public var evaluatedStep: Int?

  /// The state before the first step.
  public init(stepCount: Int, selection: BestSelection = BestSelection()) {
    self.stepCount = stepCount
    self.selection = selection
  }
}
