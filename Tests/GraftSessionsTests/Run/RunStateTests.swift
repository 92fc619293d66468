import GraftJSON
import GraftLayers
import GraftSessions
import GraftTraining
import Testing

/// A run goes on with all that a checkpoint keeps of it.
@Suite struct RunStateTests {
  @Test func selectionGoesOnByTheSameMetricOnly() {
    var selection = BestSelection()
    for (step, value) in [3.0, 2, 2.5, 1.5, 1.6].enumerated() { _ = selection.take(value, step: step, epoch: Double(step) / 2) }
    var restored = BestSelection()
    #expect(restored.restore(selection.json) && restored == selection && restored.misses == 1 && restored.best?.step == 3)
    var other = BestSelection(metric: "accuracy")
    #expect(!other.restore(selection.json) && other.best == nil)
    var reversed = BestSelection(isGreaterBetter: true)
    #expect(!reversed.restore(selection.json) && !reversed.restore(nil))
  }

  @Test func everythingThatARunHasComeToIsKept() {
    var training = TrainingState(stepCount: 20)
    (training.step, training.epoch, training.isStopped) = (7, 1.75, true)
    training.progress = TrainingProgress(tokens: 1234, seconds: 5.5, unloggedLoss: 2.25, unloggedTerms: 12)
    training.progress.unloggedAuxiliary = [AuxiliaryLoss("aux_loss", 24.5), AuxiliaryLoss("z_loss", 0.125)]
    training.progress.expertLoads = RecentExpertLoads([
      .init(stepCount: 50, layers: [ExpertLoad(path: "a.mlp", rows: [3, 0]), ExpertLoad(path: "b.mlp", rows: [1, 2])]),
      .init(stepCount: 7, layers: [ExpertLoad(path: "a.mlp", rows: [1, 1])]),
    ])
    _ = training.selection.take(0.5, step: 5, epoch: 1.25)
    var state = RunState(training)
    state.answersBefore = [AnsweredPrompt(prompt: "a", expected: "b", answer: "c")]
    state.peakMemoryBytes = 1 << 40
    var restored = RunState(TrainingState(stepCount: 20))
    #expect(restored.restore(step: 7, epoch: 1.75, state.json).isEmpty && restored == state)
    var longer = RunState(TrainingState(stepCount: 30))
    let notes = longer.restore(step: 7, epoch: 1.75, state.json)
    #expect(notes.count == 1 && notes[0].contains("30 steps now instead of 20") && longer.training.stepCount == 30)
    #expect(longer.restore(step: 7, epoch: 1.75, [:])[0].contains("earlier version"))
  }
}
