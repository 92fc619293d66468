import GraftLayers
import GraftOptimizers
import GraftTensors
import GraftTraining
import Testing

/// Dynamic loss scaling, by torch's rule.
@Suite struct LossScaleTests {
  private let data = Goals(examples: [[0]])

  /// One weight whose gradient is `slope`, as a product of float16 computes it.
  private func run(
    _ stepCount: Int, slope: Float, _ scale: LossScale.Settings?, from progress: TrainingProgress = TrainingProgress(), weight: Parameter
  ) throws -> (outcomes: [StepOutcome], line: TrainingLine?, progress: TrainingProgress) {
    var settings = Trainer.Settings(
      schedule: LearningRateSchedule(.constant, peak: 1, totalSteps: stepCount), maxGradientNorm: nil, loggingSteps: 1, recomputation: false, seed: 0)
    settings.arithmetic = .float16
    settings.lossScale = scale
    let trainer = Trainer(Optimizer(SGD(), parameters: [weight]), settings: settings, progress: progress) { _, _, scale in
      // The gradient of the product's result is scale * slope, rounded to float16 on its way back.
      (scale * slope) * sum(linear(Tensor([1], [1, 1]), weight.operand))
    }
    var line: TrainingLine?
    let outcomes = try data.plan(1, 1).steps(0..<stepCount).map { step in
      try trainer.run(step, batch: data.batch) { if case .logged(let told) = $0 { line = told } }
    }
    return (outcomes, line, trainer.progress)
  }

  private func weight() -> Parameter { Parameter(path: "weight", value: Tensor([1], [1, 1]), isTrainable: true) }

  /// Half of float16's least number is lost without a scale.
  @Test func smallGradientsNeedTheScale() throws {
    let slope: Float = 0x1p-26
    let (lost, kept) = (weight(), weight())
    _ = try run(1, slope: slope, nil, weight: lost)
    let scaled = try run(1, slope: slope, LossScale.Settings(), weight: kept)
    #expect(lost.value.values == [1])
    #expect(scaled.line?.gradientNorm == Double(slope) && scaled.outcomes == [.updated])
  }

  @Test func overflowsAreSkippedAndHalveTheScale() throws {
    let weight = weight()
    let found = try run(4, slope: 4, LossScale.Settings(initial: 65536), weight: weight)
    // 4 * 65536 and 4 * 32768 and 4 * 16384 overflow, 4 * 8192 does not.
    #expect(found.outcomes == [.skipped, .skipped, .skipped, .updated])
    #expect(weight.value.values == [-3] && found.line?.loss == 4 && found.line?.gradientNorm == 4)
    #expect(found.progress.lossScale == LossScale.State(scale: 8192, updatesSinceChange: 1, skippedSteps: 3))
    #expect(found.line?.lossScale == found.progress.lossScale)
  }

  @Test func theScaleGrowsAfterItsIntervalAndGoesOnWhereItStopped() throws {
    let settings = LossScale.Settings(initial: 8, growthInterval: 3)
    let whole = try run(4, slope: 0.5, settings, weight: weight())
    let first = try run(2, slope: 0.5, settings, weight: weight())
    let second = try run(2, slope: 0.5, settings, from: first.progress, weight: weight())
    #expect(first.progress.lossScale == LossScale.State(scale: 8, updatesSinceChange: 2))
    #expect(whole.progress.lossScale == LossScale.State(scale: 16, updatesSinceChange: 1))
    #expect(second.progress.lossScale == whole.progress.lossScale)
  }

  @Test func anOverflowWithTheLeastScaleEndsTheTraining() throws {
    let settings = LossScale.Settings(initial: 2, minimum: 1)
    #expect {
      try run(3, slope: 1e6, settings, weight: weight())
    } throws: { error in
      "\(error)".hasPrefix("step 2: the gradient is not finite: the way back through linear at weight gives inf")
        && "\(error)".contains("training.precision: bf16")
    }
  }
}
