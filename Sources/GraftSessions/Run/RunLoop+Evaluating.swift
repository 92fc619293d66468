import Foundation
import GraftBatching
import GraftDatasets
import GraftLayers
import GraftReports
import GraftTensors
import GraftTraining

/// What a run measures, and which weights it keeps by that.
extension RunLoop {
  private typealias Figures = [(name: String, value: Double)]

  /// Evaluates the model as it is before the first step.
  func evaluateBeforeTraining() throws {
    guard run.evaluation != nil else { return }
    var values = try figures(of: run.evaluation)
    values += try answered(isBefore: true)
    _ = try value(of: state.selection.metric, in: values)
    try record(values, step: 0, epoch: 0)
  }

  /// Evaluates the model as it is, and keeps its weights where none were better.
  /// - Parameter answeringBest: whether prompts are answered where it is the best, too.
  func select(answeringBest: Bool) throws {
    var values = try figures(of: run.selection)
    if state.selection.metric == AnswerCheck.figure, let answers = run.selectionAnswers {
      values.append((AnswerCheck.figure, try apart { try answers.run(isInterrupted: isInterrupted).exactMatch }))
    }
    let isBest = state.selection.take(try value(of: state.selection.metric, in: values), step: state.step, epoch: state.epoch)
    if isBest, answeringBest {
      values.removeAll { $0.name == AnswerCheck.figure }
      values += try answered(isBefore: false)
    }
    try record(values, step: state.step, epoch: state.epoch)
    if isBest, run.selectsBest { try writeCheckpoint(nil, as: TrainingCheckpoint.bestName) }
  }

  /// Ends the run: evaluates, chooses the weights that are its result, and writes it with the summary and the reports.
  func finish() throws -> RunOutcome {
    takeStock()
    let (step, epoch) = run.selectsBest ? try chooseBest() : (state.step, state.epoch)
    if let key = run.delta.firstNonFiniteKey {
      throw TrainingError(.diverged, "step \(state.step): \(key) is not finite after the last update; lower the learning rate")
    }
    if evaluatesEnds, run.evaluation != nil, !run.selectsBest {
      try record(try figures(of: run.evaluation) + answered(isBefore: false), step: step, epoch: epoch)
    }
    if let loss = recorder.evaluation(at: step)?.loss, evaluatesEnds, !loss.isFinite {
      throw TrainingError(.diverged, "step \(step): the evaluation loss is not finite; lower the learning rate")
    }
    let warnings = overflowWarnings
    for warning in warnings { try onEvent(.note(warning)) }
    takeStock()
    let saved = try run.saveResult(step: step, epoch: epoch)
    let summary = try recorder.finish(state, resultStep: step, saved: saved, warnings: warnings)
    try onEvent(.saved(path: saved))
    return RunOutcome(isInterrupted: false, output: run.output, summary: summary)
  }

  /// Evaluates the last weights too, and puts the best in their place.
  /// - Returns: the step and the epoch of the weights that are the result.
  private func chooseBest() throws -> (step: Int, epoch: Double) {
    if !recorder.isEvaluated(state.step) { try select(answeringBest: evaluatesEnds) }
    var result = (step: state.step, epoch: state.epoch)
    if let best = state.selection.best, best.step != state.step, try restoreBest(best) { result = (best.step, best.epoch) }
    if evaluatesEnds, run.answers != nil, !recorder.isAnswered(result.step) {
      let known = recorder.evaluation(at: result.step)?.figures.filter { $0.name != AnswerCheck.figure }
      try record(try (known ?? figures(of: run.evaluation)) + answered(isBefore: false), step: result.step, epoch: result.epoch)
    }
    return result
  }

  /// - Returns: false where the best weights are not there any more, which is said.
  private func restoreBest(_ best: BestSelection.Best) throws -> Bool {
    let path = "\(run.output)/checkpoints/\(TrainingCheckpoint.bestName)"
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
    try onEvent(.note("\(state.selection.title) was best at step \(best.step), whose weights are the result"))
    return true
  }

  private func figures(of data: EncodedDataset?) throws -> Figures {
    guard let data else { return [] }
    return try apart {
      let batches = data.evaluationBatches(run.objective).lazy.prefix { _ in !self.isInterrupted() }
      return Evaluator.figures(of: run.model, batches: batches).map { (name: "eval_" + $0.name, value: $0.value) }
    }
  }

  /// - Returns: what comes of the answers, where there are prompts.
  private func answered(isBefore: Bool) throws -> Figures {
    guard let answers = run.answers else { return [] }
    let outcome = try apart { try answers.run(isInterrupted: isInterrupted) }
    for answer in outcome.answers.prefix(3) { try onEvent(.answered(answer, isBefore: isBefore)) }
    recorder.answered(outcome.answers, isBefore: isBefore)
    if isBefore { state.answersBefore = Array(outcome.answers.prefix(RunRecorder.shownAnswers)) }
    return [(AnswerCheck.figure, outcome.exactMatch)]
  }

  /// Computes something beside training: each holds memory of other sizes, which would add up.
  private func apart<R>(_ body: () throws -> R) throws -> R {
    BufferPool.shared.trim()
    defer { BufferPool.shared.trim() }
    return try uninterrupted(body)
  }

  /// - Throws: `Interrupted` where what `body` computed is incomplete.
  private func uninterrupted<R>(_ body: () throws -> R) throws -> R {
    let result = try body()
    if isInterrupted() { throw Interrupted() }
    return result
  }

  private func value(of metric: String, in values: Figures) throws -> Double {
    guard let found = values.first(where: { $0.name == metric }) else {
      throw SessionError(
        .usage, "training.metric_for_best_model: \"\(metric)\" is not measured here; there are \(values.map(\.name).joined(separator: ", "))")
    }
    return found.value
  }

  private func record(_ values: Figures, step: Int, epoch: Double) throws {
    try recorder.evaluated(step: step, epoch: epoch, values)
    try onEvent(.evaluated(step: step, values))
  }

  /// What betrays an update that was so large that nothing is learned any more, though all is finite.
  private var overflowWarnings: [String] {
    guard let loss = recorder.finalLoss, state.step > 1 else { return [] }
    let largest = run.delta.parameters.map { $0.parameter.value.largestMagnitude }.max() ?? 0
    guard largest > 1e6 || recorder.hasLostGradient else { return [] }
    let cause = largest > 1e6 ? "a trained value has grown to \(Figure.compact(Double(largest)))" : "the gradient has become zero"
    let chance = (run.model as? any LanguageModel).map { " (guessing gives \(Figure.fixed(log(Double($0.vocabularySize)), digits: 4)))" } ?? ""
    return [
      "training has overflowed: \(cause), and the loss stays at \(Figure.fixed(loss, digits: 4))\(chance); "
        + "lower training.learning_rate from \(Figure.compact(run.schedule.peak))"
    ]
  }
}

extension BestSelection {
  /// The figure as a text names it.
  var title: String { metric == "eval_loss" ? "the evaluation loss" : metric }
}

extension Tensor {
  /// The largest absolute value of a float32 tensor.
  fileprivate var largestMagnitude: Float { withUnsafeBytes { $0.bindMemory(to: Float.self).reduce(0) { max($0, abs($1)) } } }
}
