import GraftBatching
import GraftLayers
import GraftOptimizers
import GraftTensors
import GraftTraining
import Testing

/// A weight that loses a tenth of its distance to 0 in every step, one example a step, and five examples an epoch.
private struct Shrinking: TrainingData {
  let weight = Parameter(path: "weight", value: Tensor([1]), isTrainable: true)
  private let plan = BatchPlanner(batchSize: 1).plan(lengths: Array(repeating: 1, count: 5))

  func steps(_ range: Range<Int>) -> StepSequence { StepSequence(plan.steps(range)) }

  func batch(_ examples: [Int], ofEpoch epoch: Int) -> Batch {
    Batch(collating: examples.map { _ in EncodedExample(tokens: [0], tokenLabels: [0]) }, objective: .tokenLabels)
  }

  func loss(_ batch: Batch, _ pass: Pass, _ scale: Float) -> Tensor { 0.5 * scale * sum(weight.operand * weight.operand) }

  func makeTrainer(stepCount: Int, progress: TrainingProgress = TrainingProgress()) -> Trainer {
    let settings = Trainer.Settings(
      schedule: LearningRateSchedule(.constant, peak: 0.1, totalSteps: stepCount), maxGradientNorm: nil, loggingSteps: 4, recomputation: false,
      seed: 0)
    return Trainer(Optimizer(SGD(), parameters: [weight]), settings: settings, progress: progress, loss: loss)
  }
}

/// A training of two processes, the other of which is asked to stop after a step.
private final class Company: Communicator {
  let rank = 0
  let size = 2
  private let lastStep: Int
  private var steps = 0

  init(stoppingAfter step: Int) { lastStep = step }

  func sum(_ values: inout [Double]) {
    steps += 1
    if steps == lastStep { values[0] += 1 }
  }

  func sum(_ gradients: inout Gradients, of parameters: [Parameter]) {}
}

/// The events of a loop, each in a word.
private final class Log {
  var words: [String] = []

  func take(_ event: TrainingLoop.Event) {
    switch event {
    case .training(.stepped(let step, _, _, _, _)): words.append("step \(step)")
    case .training(.logged(let line)): words.append("log \(line.step)")
    case .evaluated(let metrics, let isBest): words.append("\(metrics.map(\.name).joined(separator: "+")) \(isBest ? "best" : "not best")")
    case .checkpoint: words.append("checkpoint")
    case .stoppedEarly(let patience): words.append("stop \(patience)")
    }
  }
}

@Suite struct TrainingLoopTests {
  /// A loop whose evaluations find `losses`, one after another.
  private func makeLoop(
    _ settings: TrainingLoop.Settings, _ data: Shrinking = Shrinking(), losses: [Double]? = nil, state: TrainingState? = nil, log: Log,
    isInterrupted: @escaping () -> Bool = { false }
  ) -> TrainingLoop {
    let state = state ?? TrainingState(stepCount: settings.stepCount)
    var rest = (losses ?? [])[...]
    let loop = TrainingLoop(
      data.makeTrainer(stepCount: settings.stepCount, progress: state.progress), data: data, settings: settings, state: state,
      evaluation: losses == nil
        ? nil
        : {
          let loss = rest.popFirst() ?? .nan
          return TrainingLoop.Evaluation([("eval_loss", loss)], decisive: loss)
        }, isInterrupted: isInterrupted)
    loop.onEvent = log.take
    return loop
  }

  @Test func stepsEvaluationsAndCheckpointsComeInTheirOrder() throws {
    let data = Shrinking()
    let log = Log()
    let loop = makeLoop(.init(stepCount: 6, evaluationInterval: 2, checkpointInterval: 3), data, losses: [2, 3], log: log)
    try loop.run()
    // The weights of the last step are evaluated by whoever ends the run.
    #expect(
      log.words == [
        "step 1", "step 2", "eval_loss best", "step 3", "checkpoint", "step 4", "log 4", "eval_loss not best", "step 5", "step 6", "log 6",
        "checkpoint",
      ])
    #expect(loop.state.step == 6 && loop.state.epoch == 1.2 && loop.state.evaluatedStep == 4)
    #expect(loop.state.selection.best == .init(step: 2, epoch: 0.4, value: 2))
    #expect(loop.state.progress.tokens == 6)
    #expect(abs(data.weight.value.values[0] - 0.531441) < 1e-6)
    try loop.keep()
    #expect(log.words.count { $0 == "checkpoint" } == 2, "a step is kept once")
  }

  @Test func withoutAnythingHeldOutNothingIsEvaluated() throws {
    let log = Log()
    let loop = makeLoop(.init(stepCount: 4, evaluationInterval: 1, patience: 1), log: log)
    try loop.run()
    try loop.evaluate()
    #expect(log.words == ["step 1", "step 2", "step 3", "step 4", "log 4"] && loop.state.evaluatedStep == nil)
  }

  @Test func trainingThatNoLongerHelpsIsStoppedAndKept() throws {
    let log = Log()
    let loop = makeLoop(
      .init(stepCount: 20, evaluationInterval: 1, checkpointInterval: 100, patience: 2), losses: [3, 2, 2, 2, 1], log: log)
    try loop.run()
    #expect(log.words.suffix(3) == ["eval_loss not best", "stop 2", "checkpoint"] && loop.state.step == 4 && loop.state.isStopped)
    let after = Log()
    try makeLoop(.init(stepCount: 20, evaluationInterval: 1), losses: [0], state: loop.state, log: after).run()
    #expect(after.words.isEmpty, "a training that was stopped stays so")
  }

  @Test func goingOnFromAnyStepEndsAsOneThatNeverStopped() throws {
    let settings = TrainingLoop.Settings(stepCount: 7, evaluationInterval: 2)
    let losses = [5.0, 4, 6]
    let whole = Shrinking()
    let log = Log()
    let reference = makeLoop(settings, whole, losses: losses, log: log)
    try reference.run()
    for stop in 1..<7 {
      let data = Shrinking()
      let first = Log()
      let part = makeLoop(settings, data, losses: losses, log: first) { first.words.contains("step \(stop)") }
      #expect(throws: TrainingLoop.Interruption.self) { try part.run() }
      try part.keep()
      #expect(part.state.step == stop && first.words.last == "checkpoint")
      let second = Log()
      let evaluated = first.words.count { $0.hasPrefix("eval") }
      let rest = makeLoop(settings, data, losses: Array(losses.dropFirst(evaluated)), state: part.state, log: second)
      try rest.run()
      rest.takeStock()
      #expect(first.words.dropLast() + second.words == log.words)
      #expect(data.weight.value.values == whole.weight.value.values)
      #expect(rest.state.selection == reference.state.selection && rest.state.progress.tokens == 7)
    }
  }

  @Test func allProcessesStopAfterTheStepAfterWhichOneIsAskedTo() throws {
    let data = Shrinking()
    let loop = TrainingLoop(
      data.makeTrainer(stepCount: 9), data: data, settings: .init(stepCount: 9), state: TrainingState(stepCount: 9),
      communicator: Company(stoppingAfter: 4))
    #expect(throws: TrainingLoop.Interruption.self) { try loop.run() }
    #expect(loop.state.step == 4)
  }

  @Test func onlyTheBestEvaluationIsCompleted() throws {
    let log = Log()
    let loop = makeLoop(.init(stepCount: 2), losses: [2, 3, 1], log: log)
    for _ in 0..<3 { try loop.evaluate { $0 + [("answers", 1)] } }
    #expect(log.words == ["eval_loss+answers best", "eval_loss not best", "eval_loss+answers best"])
  }

  @Test func aDivergenceLeavesTheStateOfTheStepBefore() throws {
    let data = Shrinking()
    let loop = makeLoop(.init(stepCount: 5), data, log: Log())
    loop.onEvent = { if case .training(.stepped(step: 2, _, _, _, _)) = $0 { data.weight.assign(Tensor([.infinity])) } }
    #expect(throws: TrainingError.self) { try loop.run() }
    #expect(loop.state.step == 2)
  }
}
