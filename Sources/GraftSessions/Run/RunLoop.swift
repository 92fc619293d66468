import GraftAdapters
import GraftBatching
import GraftCheckpoints
import GraftLayers
import GraftOptimizers
import GraftTensors
import GraftTraining

/// A run going on: its steps, and what is evaluated and saved between them.
final class RunLoop {
  let run: TrainingRun
  let directory: RunDirectory
  let recorder: RunRecorder
  let evaluatesEnds: Bool
  let onEvent: (RunEvent) throws -> Void
  let isInterrupted: () -> Bool
  var state: RunState
  private let trainer: Trainer
  private var savedStep: Int?

  /// Stops an evaluation in its middle.
  struct Interrupted: Error {}

  init(
    _ run: TrainingRun, evaluatesEnds: Bool, isInterrupted: @escaping () -> Bool, onEvent: @escaping (RunEvent) throws -> Void
  ) throws {
    (self.run, self.evaluatesEnds, self.isInterrupted, self.onEvent) = (run, evaluatesEnds, isInterrupted, onEvent)
    guard let claim = run.claim else { throw CheckpointError(.cannotCreate, run.output, "is not this run's to write to") }
    directory = try RunDirectory(claim, keeping: run.earlierMetrics)
    // A kill may have come between a checkpoint and the removal of those before it.
    try TrainingCheckpoint.rotate(in: run.output, at: run.state.step, keeping: run.recipe.training.saveTotalLimit, removingLater: false)
    try directory.write(try run.recipe.rendered(), to: "recipe.yaml")
    recorder = try RunRecorder(run, directory)
    state = run.state
    let t = run.recipe.training
    var settings = Trainer.Settings(
      schedule: run.schedule, maxGradientNorm: t.maxGradNorm, loggingSteps: max(1, t.loggingSteps), recomputation: t.gradientCheckpointing,
      seed: t.seed)
    settings.crossEntropy = run.crossEntropy
    trainer = Trainer(
      run.optimizer, settings: settings,
      hooks: run.delta.schedule.map { schedule in
        Trainer.Hooks(penalty: { schedule.penalty() }, updated: { schedule.updated(step: $0, gradients: $1, gradientScale: $2) })
      } ?? Trainer.Hooks(),
      progress: state.progress, loss: run.model.loss)
    BufferPool.shared.resetPeak()
  }

  func execute() throws -> RunOutcome {
    try onEvent(.started(run.overview))
    for note in run.openingNotes + run.notes { try onEvent(.note(note)) }
    do {
      if state.step == 0, evaluatesEnds { try trainer.pausingClock { try evaluateBeforeTraining() } }
      try train()
      return try finish()
    } catch is Interrupted {
      if state.step > 0, savedStep != state.step { try save() }
      return RunOutcome(isInterrupted: true, output: run.output, summary: .null)
    }
  }

  private func train() throws {
    if isEvaluationDue, !recorder.isEvaluated(state.step) { try evaluateAndSelect() }
    for planned in run.plan.steps(state.step..<max(state.step, run.stepCount)) {
      if state.isStopped { return }
      try step(planned)
      if isInterrupted() { throw Interrupted() }
      if isEvaluationDue { try evaluateAndSelect() }
      if isSavingDue { try save() }
    }
  }

  private func step(_ planned: PlannedStep) throws {
    do {
      try trainer.run(planned, isLast: planned.index + 1 == run.stepCount, batch: { run.batch($0, ofEpoch: planned.epoch) }) { event in
        if case .logged(let line) = event { try recorder.log(line) }
        try onEvent(.training(event))
      }
    } catch let error as TrainingError {
      throw try explained(error)
    }
    (state.step, state.epoch) = (planned.index + 1, planned.epochsCompleted)
  }

  /// Whether an evaluation belongs to the step that is done; the last is evaluated at the end.
  private var isEvaluationDue: Bool {
    guard let every = run.recipe.training.evalSteps, every > 0, run.selection != nil else { return false }
    return state.step > 0 && state.step < run.stepCount && state.step % every == 0
  }

  private var isSavingDue: Bool {
    guard let every = run.recipe.training.saveSteps, every > 0 else { return false }
    return state.step % every == 0 || state.step == run.stepCount || state.isStopped
  }

  /// Evaluates between steps, and stops the training where it has not helped for long enough.
  private func evaluateAndSelect() throws {
    try trainer.pausingClock { try select(answeringBest: false) }
    let patience = run.recipe.training.earlyStoppingPatience
    guard state.selection.isExhausted(patience: patience) else { return }
    state.isStopped = true
    try onEvent(.note("stopped at step \(state.step): \(state.selection.title) has not improved \(patience ?? 0) times in a row"))
  }

  /// Writes a checkpoint of the step that is done.
  private func save() throws {
    try trainer.pausingClock {
      state.progress = trainer.progress
      state.peakMemoryBytes = max(run.state.peakMemoryBytes, ProcessMemory.peakBytes)
      try writeCheckpoint(run.optimizer, as: "step-\(state.step)")
      try TrainingCheckpoint.rotate(in: run.output, at: state.step, keeping: run.recipe.training.saveTotalLimit, removingLater: true)
    }
    savedStep = state.step
  }

  func writeCheckpoint(_ optimizer: Optimizer?, as name: String) throws {
    try TrainingCheckpoint.write(run, optimizer, state, metrics: directory.metrics, as: name)
  }

  /// Takes stock of the trainer once more, for the summary.
  func takeStock() {
    state.progress = trainer.progress
    state.peakMemoryBytes = max(run.state.peakMemoryBytes, ProcessMemory.peakBytes)
  }

  /// What a divergence comes from, with the last good state saved.
  private func explained(_ error: TrainingError) throws -> any Error {
    // Damaged weights are the commoner cause, and can be named.
    if state.step == run.state.step, let parameter = run.base.model.catalog.firstNonFiniteParameter() {
      return SessionError(
        .nonFinite, "\(run.base.name): \(parameter.path) holds values that are not finite; the checkpoint is damaged, fetch it again")
    }
    guard state.step > 0, evaluatesEnds else { return error }
    guard run.delta.firstNonFiniteKey == nil else {
      return TrainingError(.diverged, "\(error.description); the weights overflowed in step \(state.step) already, and that state is not kept")
    }
    if savedStep != state.step { try save() }
    return TrainingError(
      .diverged,
      "\(error.description); the state before it is kept in \(run.output)/checkpoints/step-\(state.step), from which method.init_from goes on")
  }
}

extension TrainingRun {
  /// Trains, evaluates and writes the run directory.
  ///
  /// - Parameters:
  ///   - isInterrupted: asked after every step and during evaluations; true writes a checkpoint and ends the run as `interrupted`.
  ///   - evaluatesEnds: whether held-out examples are evaluated before the first and after the last step.
  /// - Throws: `TrainingError` where training diverges, `CheckpointError` where files cannot be written, and what `onEvent` throws.
  public func run(isInterrupted: () -> Bool = { false }, evaluatesEnds: Bool = true, onEvent: (RunEvent) throws -> Void) throws -> RunOutcome {
    defer { claim = nil }
    if let finishedSummary, evaluatesEnds {
      for note in openingNotes { try onEvent(.note(note)) }
      return RunOutcome(isInterrupted: false, output: output, summary: finishedSummary)
    }
    return try withoutActuallyEscaping(isInterrupted) { isInterrupted in
      try withoutActuallyEscaping(onEvent) { onEvent in
        try RunLoop(self, evaluatesEnds: evaluatesEnds, isInterrupted: isInterrupted, onEvent: onEvent).execute()
      }
    }
  }
}

extension Delta {
  /// The key of the first trained tensor that holds a value which is not finite.
  var firstNonFiniteKey: String? { parameters.first { $0.parameter.value.firstNonFiniteIndex != nil }?.key }
}
