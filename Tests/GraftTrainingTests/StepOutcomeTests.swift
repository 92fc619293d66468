import GraftBatching
import GraftLayers
import GraftOptimizers
import GraftTensors
import GraftTraining
import Testing

/// Steps whose update is left out.
@Suite struct StepOutcomeTests {
  private let data = Goals(examples: [[0]])

  private func trainer(_ quadratic: Quadratic, logging: Int = 1, skipping skipped: Set<Int>) -> (Trainer, Optimizer) {
    let optimizer = Optimizer(AdamW(), parameters: [quadratic.weight])
    let settings = Trainer.Settings(
      schedule: LearningRateSchedule(.linear, peak: 0.5, totalSteps: 4), maxGradientNorm: nil, loggingSteps: logging, recomputation: false, seed: 0)
    let hooks = Trainer.Hooks(skips: { step, _, _ in skipped.contains(step) }, updated: { step, _, _ in #expect(!skipped.contains(step)) })
    return (Trainer(optimizer, settings: settings, hooks: hooks, loss: quadratic.loss), optimizer)
  }

  @Test func aSkippedStepLeavesWeightsAndMomentsAlone() throws {
    let quadratic = Quadratic(start: [4, 3], goals: [[0, 0]])
    let (trainer, optimizer) = trainer(quadratic, skipping: [1, 3])
    var lines: [TrainingLine] = []
    var path = [quadratic.weight.value.values]
    var outcomes: [StepOutcome] = []
    for step in data.plan(1, 1).steps(0..<4) {
      outcomes.append(
        try trainer.run(step, batch: data.batch) { event in
          if case .logged(let line) = event { lines.append(line) }
        })
      path.append(quadratic.weight.value.values)
    }
    #expect(outcomes == [.skipped, .updated, .skipped, .updated])
    #expect(path[1] == path[0] && path[2] != path[1] && path[3] == path[2] && path[4] != path[3])
    // The schedule and the log go on; the moments count updates only.
    #expect(optimizer.stepCount == 2)
    #expect(lines.map(\.step) == [1, 2, 3, 4])
    #expect(lines.map(\.learningRate) == [0.5, 0.375, 0.25, 0.125])
    #expect(lines.map(\.loss)[0] == 12.5)
  }

  /// An overflowing step is skipped where the hook says so, is not in the log's mean, and stops the run otherwise.
  @Test func overflowsAreSkipped() throws {
    let weight = Parameter(path: "weight", value: Tensor([1]), isTrainable: true)
    let settings = Trainer.Settings(
      schedule: LearningRateSchedule(.constant, peak: 0.5, totalSteps: 2), maxGradientNorm: nil, loggingSteps: 2, recomputation: false, seed: 0)
    var isFirst = true
    let trainer = Trainer(
      Optimizer(SGD(), parameters: [weight]), settings: settings, hooks: Trainer.Hooks(skips: { !$1.isFinite || !$2.isFinite })
    ) { _, _, scale in
      defer { isFirst = false }
      return isFirst ? .infinity * sum(weight.operand) : scale * sum(weight.operand)
    }
    var line: TrainingLine?
    let outcomes = try data.plan(1, 1).steps(0..<2).map { step in
      try trainer.run(step, batch: data.batch) { if case .logged(let told) = $0 { line = told } }
    }
    #expect(outcomes == [.skipped, .updated])
    #expect(weight.value.values == [0.5] && line?.loss == 1 && line?.gradientNorm == 1)
  }
}
