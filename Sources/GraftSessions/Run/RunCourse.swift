import GraftAdapters
import GraftCheckpoints
import GraftLayers
import GraftTensors
import GraftTraining

/// A run from its first step to its last: the training loop, with measurements before and after it, and files written of its events.
final class RunCourse {
  let run: TrainingRun
  let writer: RunWriter
  let evaluation: RunEvaluation
  let loop: TrainingLoop
  /// True where held-out examples are evaluated before the first and after the last step.
  let evaluatesEnds: Bool
  let onEvent: (RunEvent) throws -> Void
  private var answersBefore: [AnsweredPrompt]

  /// - Throws: `CheckpointError` and `ReportError` where files cannot be written.
  init(
    _ run: TrainingRun, evaluatesEnds: Bool, isInterrupted: @escaping () -> Bool, onEvent: @escaping (RunEvent) throws -> Void
  ) throws {
    guard run.claim != nil || run.communicator.rank > 0 else {
      throw CheckpointError(.cannotCreate, run.output, "is not this run's to write to")
    }
    (self.run, self.evaluatesEnds, self.onEvent) = (run, evaluatesEnds, onEvent)
    // No process changes the directory that another has yet to read.
    try run.communicator.synchronize()
    writer = try RunWriter(run.product, output: run.output, claim: run.claim, metrics: run.earlierMetrics, state: run.state)
    answersBefore = run.state.answersBefore
    // Progress only tells: what a listener throws at it, the next event throws.
    let evaluation = run.makeEvaluation(isInterrupted: isInterrupted) { try? onEvent(.progress($0)) }
    self.evaluation = evaluation
    var state = run.state.training
    state.evaluatedStep = writer.history.evaluations.last?.step
    let metric = state.selection.metric
    loop = TrainingLoop(
      run.makeTrainer(), data: PlannedData(data: run.data, plan: run.plan.batches, references: run.references), settings: run.plan.loopSettings,
      state: state,
      evaluation: run.data.selection == nil ? nil : { try evaluation.selection(by: metric) }, isInterrupted: isInterrupted,
      communicator: run.communicator)
    BufferPool.shared.resetPeak()
    loop.onEvent = { [unowned self] event in try take(event) }
  }

  func execute() throws -> RunOutcome {
    try onEvent(.started(run.overview))
    for note in run.openingNotes + run.notes { try onEvent(.note(note)) }
    do {
      try loop.apart { try askReference() }
      if loop.state.step == 0, evaluatesEnds { try loop.apart { try evaluateBeforeTraining() } }
      do { try loop.run() } catch let error as TrainingError { throw try explained(error) }
      return try finish()
    } catch is TrainingLoop.Interruption {
      try loop.keep()
      return RunOutcome(isInterrupted: true, output: run.output, summary: .null)
    }
  }

  /// All that the run has come to.
  var state: RunState {
    var state = RunState(loop.state)
    state.answersBefore = answersBefore
    state.peakMemoryBytes = max(run.state.peakMemoryBytes, ProcessMemory.peakBytes)
    return state
  }

  /// Learns what the reference says of the answers, where they are compared with it.
  private func askReference() throws {
    guard let references = run.references else { return }
    let counts = try references.prepare(isTraining: true, isInterrupted: evaluation.isInterrupted)
    var parts: [String] = []
    if counts.computed > 0 { parts.append("computed for \(counts.computed) answers") }
    if counts.cached > 0 { parts.append("read from the cache for \(counts.cached)") }
    if !parts.isEmpty { try onEvent(.note("the reference's log-probabilities were " + parts.joined(separator: " and "))) }
  }

  /// Writes what an event of the loop is about, and passes it on.
  private func take(_ event: TrainingLoop.Event) throws {
    switch event {
    case .training(let event):
      if case .logged(let line) = event { try writer.log(line) }
      try onEvent(.training(event))
    case .evaluated(let values, let isBest):
      try record(values, step: loop.state.step, epoch: loop.state.epoch)
      if isBest, run.plan.keepsBest { try writer.writeBest(state) }
    case .checkpoint: try writer.writeCheckpoint(run.optimizer, state)
    case .stoppedEarly(let patience):
      try onEvent(.note("stopped at step \(loop.state.step): \(loop.state.selection.title) has not improved \(patience) times in a row"))
    }
  }

  /// Evaluates the model as it is before the first step.
  private func evaluateBeforeTraining() throws {
    guard run.data.evaluation != nil else { return }
    let values = try evaluation.metrics() + answered(isBefore: true)
    try evaluation.value(of: loop.state.selection.metric, in: values)
    try record(values, step: 0, epoch: 0)
  }

  /// - Returns: the share of right answers, where there are prompts.
  func answered(isBefore: Bool) throws -> MetricValues {
    guard let outcome = try evaluation.answers() else { return [] }
    for answer in outcome.answers.prefix(3) { try onEvent(.answered(answer, isBefore: isBefore)) }
    writer.keep(outcome.answers, isBefore: isBefore)
    if isBefore { answersBefore = Array(outcome.answers.prefix(RunHistory.shownAnswers)) }
    return [(AnswerCheck.metric, outcome.exactMatch)]
  }

  /// Writes the metrics of an evaluation, and tells them.
  func record(_ values: MetricValues, step: Int, epoch: Double) throws {
    try writer.log(values, step: step, epoch: epoch)
    try onEvent(.evaluated(step: step, values))
  }

  /// The cause of a divergence, with the last good state kept.
  private func explained(_ error: TrainingError) throws -> any Error {
    let step = loop.state.step
    // Damaged weights are the commoner cause, and can be named.
    if step == run.state.training.step, let parameter = run.base.model.catalog.firstNonFiniteParameter() {
      return SessionError(
        .nonFinite, "\(run.base.name): \(parameter.path) holds values that are not finite; the checkpoint is damaged, fetch it again")
    }
    guard step > 0, evaluatesEnds else { return error }
    guard run.delta.firstNonFiniteKey == nil else {
      return TrainingError(.diverged, "\(error.description); the weights overflowed in step \(step) already, and that state is not kept")
    }
    try loop.keep()
    return TrainingError(
      .diverged,
      "\(error.description); the state before it is kept in \(run.output)/checkpoints/step-\(step), from which method.init_from goes on")
  }
}

extension Delta {
  /// The key of the first trained tensor that holds a value which is not finite.
  var firstNonFiniteKey: String? { parameters.first { $0.parameter.value.firstNonFiniteIndex != nil }?.key }
}
