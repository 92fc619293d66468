import Foundation
import GraftLayers
import GraftReports
import GraftTensors
import GraftTraining

/// The end of a run: its last evaluation, the choice of the weights that are its result, and what is written of them.
extension RunCourse {
  /// Evaluates, chooses the result, and writes it with the summary and the reports.
  func finish() throws -> RunOutcome {
    loop.takeStock()
    let (step, epoch) = run.plan.keepsBest ? try chooseBest() : (loop.state.step, loop.state.epoch)
    if let key = run.delta.firstNonFiniteKey {
      throw TrainingError(.diverged, "step \(loop.state.step): \(key) is not finite after the last update; lower the learning rate")
    }
    if evaluatesEnds, run.data.evaluation != nil, !run.plan.keepsBest {
      try record(try evaluation.metrics() + answered(isBefore: false), step: step, epoch: epoch)
    }
    if let loss = writer.history.evaluation(at: step)?.loss, evaluatesEnds, !loss.isFinite {
      throw TrainingError(.diverged, "step \(step): the evaluation loss is not finite; lower the learning rate")
    }
    let warnings = overflowWarnings
    for warning in warnings + (warnings.isEmpty ? advice(at: step) : []) { try onEvent(.note(warning)) }
    let classes = evaluatesEnds ? try evaluation.classes(run.product.labels, tokenizer: try run.base.tokenizer()) : nil
    loop.takeStock()
    let state = state
    let saved = try writer.writeResult(step: step, epoch: epoch)
    let summary = RunSummary(
      recipe: run.product.recipe, overview: run.overview, output: run.output, saved: saved, state: state, history: writer.history,
      resultStep: step, keepsBest: run.plan.keepsBest, classes: classes, warnings: warnings, identity: run.product.identity)
    try writer.write(summary)
    try onEvent(.saved(path: saved))
    return RunOutcome(isInterrupted: false, output: run.output, summary: summary.json)
  }

  /// Evaluates the last weights too, and puts the best in their place.
  /// - Returns: the step and the epoch of the weights that are the result.
  private func chooseBest() throws -> (step: Int, epoch: Double) {
    if loop.state.evaluatedStep != loop.state.step {
      try loop.evaluate { [self] values in
        evaluatesEnds ? values.filter { $0.name != AnswerCheck.metric } + (try answered(isBefore: false)) : values
      }
    }
    var result = (step: loop.state.step, epoch: loop.state.epoch)
    if let best = loop.state.selection.best, best.step != loop.state.step, try restoreBest(best) { result = (best.step, best.epoch) }
    if evaluatesEnds, run.data.answers != nil, !writer.history.isAnswered(result.step) {
      let known = writer.history.evaluation(at: result.step)?.values.filter { $0.name != AnswerCheck.metric }
      try record(try (known ?? evaluation.metrics()) + answered(isBefore: false), step: result.step, epoch: result.epoch)
    }
    return result
  }

  /// - Returns: false where the best weights are not there any more, which is said.
  private func restoreBest(_ best: BestSelection.Best) throws -> Bool {
    let path = "\(run.output)/checkpoints/\(TrainingCheckpoint.bestName)"
    try run.communicator.synchronize()
    do {
      let checkpoint = try TrainingCheckpoint(path)
      guard checkpoint.step == best.step else {
        try onEvent(.note("\(path) holds the weights of step \(checkpoint.step) instead of \(best.step); the last weights are the result"))
        return false
      }
      try checkpoint.restore(run.delta)
    } catch {
      try onEvent(.note("the best weights cannot be read: \(error); the last weights are the result"))
      return false
    }
    try onEvent(.note("\(loop.state.selection.title) was best at step \(best.step), whose weights are the result"))
    return true
  }

  /// Advice on a run that has learned nothing, though nothing went wrong.
  private func advice(at step: Int) -> [String] {
    guard evaluatesEnds else { return [] }
    let flat = RunAdvice.flatLoss(writer.history.points.map(\.loss), learningRate: run.plan.schedule.peak)
    let accuracy = writer.history.evaluation(at: step)?.metrics.first { $0.name == "eval_accuracy" }?.value
    let classes = (run.data.evaluation?.examples ?? []).flatMap(\.classes)
    return [flat, accuracy.flatMap { RunAdvice.majority(accuracy: $0, classes: classes, names: run.product.labels?.names ?? []) }].compactMap { $0 }
  }

  /// The signs of an update that was so large that nothing is learned any more, though all is finite.
  private var overflowWarnings: [String] {
    guard let loss = writer.history.finalLoss, loop.state.step > 1 else { return [] }
    if let scale = loop.state.progress.lossScale, scale.skippedSteps == loop.state.step {
      return [
        "nothing was trained: gradients overflowed in all \(loop.state.step) steps, which were skipped; train for longer, or lower "
          + "training.loss_scale.initial to \(Figure.compact(scale.scale))"
      ]
    }
    let largest = run.delta.parameters.map { $0.parameter.value.largestMagnitude }.max() ?? 0
    guard largest > 1e6 || writer.history.hasLostGradient else { return [] }
    let cause = largest > 1e6 ? "a trained value has grown to \(Figure.compact(Double(largest)))" : "the gradient has become zero"
    let chance = (run.model as? any LanguageModel).map { " (guessing gives \(Figure.fixed(log(Double($0.vocabularySize)), digits: 4)))" } ?? ""
    return [
      "training has overflowed: \(cause), and the loss stays at \(Figure.fixed(loss, digits: 4))\(chance); "
        + "lower training.learning_rate from \(Figure.compact(run.plan.schedule.peak))"
    ]
  }
}

extension Tensor {
  /// The largest absolute value of a float32 tensor.
  fileprivate var largestMagnitude: Float { withUnsafeBytes { $0.bindMemory(to: Float.self).reduce(0) { max($0, abs($1)) } } }
}
