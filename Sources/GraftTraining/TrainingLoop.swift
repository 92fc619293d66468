import GraftBatching

/// The names and values of metrics, in the order in which they are shown.
public typealias MetricValues = [(name: String, value: Double)]

/// The course of a training: steps, and between them evaluations, early stopping and checkpoints.
///
/// The loop computes and decides, and writes nothing: files, reports and progress are made of its events.
public final class TrainingLoop {
  /// The length of a training, and the intervals between what happens beside its steps.
  public struct Settings: Sendable, Hashable {
    /// Optimizer steps.
    public var stepCount: Int
    /// Steps between two evaluations; none where nil or 0.
    public var evaluationInterval: Int?
    /// Steps between two checkpoints; none where nil or 0.
    public var checkpointInterval: Int?
    /// Evaluations in a row without an improvement that end the training; nil never ends it.
    public var patience: Int?

    /// - Parameter stepCount: optimizer steps, those done before included.
    public init(stepCount: Int, evaluationInterval: Int? = nil, checkpointInterval: Int? = nil, patience: Int? = nil) {
      self.stepCount = stepCount
      self.evaluationInterval = evaluationInterval
      self.checkpointInterval = checkpointInterval
      self.patience = patience
    }
  }

  /// The metrics of an evaluation, and the one by which the best weights are chosen.
  public struct Evaluation {
    /// The metrics, with their names.
    public var metrics: MetricValues
    /// The value of the metric that weights are chosen by.
    public var decisive: Double

    /// - Parameter decisive: the value of the metric that weights are chosen by.
    public init(_ metrics: MetricValues, decisive: Double) {
      self.metrics = metrics
      self.decisive = decisive
    }
  }

  /// An event of a training, told at once.
  public enum Event {
    /// An event of a step.
    case training(TrainingEvent)
    /// The weights of the step that is done were evaluated, and may be the best so far.
    case evaluated(MetricValues, isBest: Bool)
    /// The state is to be kept, so that training can go on from it.
    case checkpoint
    /// Early stopping ends the training.
    case stoppedEarly(patience: Int)
  }

  /// Stops a training, or an evaluation in its middle, on request.
  public struct Interruption: Error {
    /// The word to stop.
    public init() {}
  }

  /// Told of every event, in order.
  public var onEvent: (Event) throws -> Void = { _ in }
  /// The point that the training has come to.
  public private(set) var state: TrainingState
  private let trainer: Trainer
  private let data: any TrainingData
  private let settings: Settings
  private let evaluation: (() throws -> Evaluation)?
  private let isInterrupted: () -> Bool
  private let communicator: any Communicator
  private var keptStep: Int?

  /// - Parameters:
  ///   - trainer: does the steps.
  ///   - data: the batches of the steps.
  ///   - state: where to go on from.
  ///   - evaluation: evaluates the weights as they are; nil where nothing is held out.
  ///   - isInterrupted: asked after every step; true throws `Interruption`, in all processes of the training.
  ///   - communicator: the processes that share the training, those of the trainer.
  public init(
    _ trainer: Trainer, data: any TrainingData, settings: Settings, state: TrainingState, evaluation: (() throws -> Evaluation)? = nil,
    isInterrupted: @escaping () -> Bool = { false }, communicator: any Communicator = SingleProcess()
  ) {
    self.trainer = trainer
    self.data = data
    self.settings = settings
    self.state = state
    self.evaluation = evaluation
    self.isInterrupted = isInterrupted
    self.communicator = communicator
  }

  /// Does the steps that are left.
  ///
  /// - Throws: `Interruption` where it is asked for, `TrainingError` where the loss or the gradients of a step are not finite (`state` is that
  ///   of the step before), and what reading the data, evaluations and `onEvent` throw.
  public func run() throws {
    if isEvaluationDue, state.evaluatedStep != state.step { try evaluateBetweenSteps() }
    let steps = data.steps(state.step..<max(state.step, settings.stepCount))
    while !state.isStopped, let step = try steps.next() {
      try trainer.run(step, isLast: step.index + 1 == settings.stepCount, batch: { try data.batch($0, ofEpoch: step.epoch) }) {
        try onEvent(.training($0))
      }
      (state.step, state.epoch) = (step.index + 1, step.epochsCompleted)
      // All processes stop after the same step.
      if try communicator.any(isInterrupted()) { throw Interruption() }
      if isEvaluationDue { try evaluateBetweenSteps() }
      if isCheckpointDue { try keep() }
    }
  }

  /// Evaluates the weights as they are.
  ///
  /// - Parameter complete: adds to the metrics where the weights are the best so far.
  public func evaluate(completingBest complete: (MetricValues) throws -> MetricValues = { $0 }) throws {
    guard let found = try evaluation?() else { return }
    let isBest = state.selection.take(found.decisive, step: state.step, epoch: state.epoch)
    let metrics = isBest ? try complete(found.metrics) : found.metrics
    state.evaluatedStep = state.step
    try onEvent(.evaluated(metrics, isBest: isBest))
  }

  /// Has the state of the step that is done kept, once.
  public func keep() throws {
    guard state.step > 0, keptStep != state.step else { return }
    try apart {
      takeStock()
      try onEvent(.checkpoint)
    }
    keptStep = state.step
  }

  /// Does something that is no training, outside of its clock.
  public func apart<R>(_ body: () throws -> R) rethrows -> R { try trainer.pausingClock(body) }

  /// Brings the state's counters up to now.
  public func takeStock() { state.progress = trainer.progress }

  /// True where an evaluation belongs to the step that is done; that of the last step belongs to the end of the run.
  private var isEvaluationDue: Bool {
    guard let every = settings.evaluationInterval, every > 0, evaluation != nil else { return false }
    return state.step > 0 && state.step < settings.stepCount && state.step % every == 0
  }

  private var isCheckpointDue: Bool {
    guard let every = settings.checkpointInterval, every > 0 else { return false }
    return state.step % every == 0 || state.step == settings.stepCount || state.isStopped
  }

  private func evaluateBetweenSteps() throws {
    try apart { try evaluate() }
    guard let patience = settings.patience, state.selection.isExhausted(patience: patience) else { return }
    state.isStopped = true
    try onEvent(.stoppedEarly(patience: patience))
  }
}
