import GraftDatasets
import GraftLayers
import GraftReports
import GraftTensors
import GraftTokenizers
import GraftTraining

/// The measurements of a run: on the examples held out, and by what the model answers to their prompts.
struct RunEvaluation {
  let model: any TrainableModel
  let data: RunData
  /// The processes of the run, which share the batches of an evaluation. Each answers all prompts.
  let communicator: any Communicator
  /// The loss of preferences, where answers are compared, and what its reference says of them.
  let preference: PreferenceObjective?, references: ReferenceScores?
  /// Asked in the middle of measurements; true ends them by `TrainingLoop.Interruption`.
  let isInterrupted: () -> Bool
  /// Told how many held-out examples are evaluated, and how many prompts are answered.
  var progress: ProgressHandler = { _ in }

  /// The metrics of the examples held out; none where there are no such examples.
  func metrics() throws -> MetricValues { try metrics(of: data.evaluation, references?.evaluation) }

  /// The evaluation that weights are chosen by.
  ///
  /// - Parameter metric: the metric that decides.
  /// - Throws: `SessionError` where it is not measured.
  func selection(by metric: String) throws -> TrainingLoop.Evaluation {
    var values = try metrics(of: data.selection, references?.selection)
    if metric == AnswerCheck.metric, let answers = data.selectionAnswers {
      values.append((AnswerCheck.metric, try apart { try answers.run(by: model, isInterrupted: isInterrupted, progress: progress).exactMatch }))
    }
    return TrainingLoop.Evaluation(values, decisive: try value(of: metric, in: values))
  }

  /// Answers to the prompts held out; nil where there are none.
  func answers() throws -> AnswerCheck.Outcome? {
    try data.answers.map { answers in try apart { try answers.run(by: model, isInterrupted: isInterrupted, progress: progress) } }
  }

  /// The outcome class by class; nil where the held-out examples are not each of one class.
  /// - Parameter labels: the classes.
  func classes(_ labels: LabelScheme?, tokenizer: Tokenizer) throws -> ClassReport? {
    try ClassCheck(data, model: model, labels: labels, tokenizer: tokenizer).map { check in try apart { check.run(isInterrupted: isInterrupted) } }
  }

  /// - Throws: `SessionError` where a metric is not among the values.
  @discardableResult
  func value(of metric: String, in values: MetricValues) throws -> Double {
    guard let found = values.first(where: { $0.name == metric }) else {
      throw SessionError(
        .usage, "training.metric_for_best_model: \"\(metric)\" is not measured here; there are \(values.map(\.name).joined(separator: ", "))")
    }
    return found.value
  }

  private func metrics(of data: EncodedDataset?, _ references: [Double]?) throws -> MetricValues {
    guard let data else { return [] }
    let batches = data.evaluationBatches(self.data.objective, references: references) {
      progress(RunProgress(.evaluating, $0, of: data.examples.count))
    }
    return try apart {
      let values =
        if let preference, let model = model as? any LanguageModel {
          try preference.metrics(of: model, batches: batches, communicator: communicator, isInterrupted: isInterrupted)
        } else {
          try Evaluator.metrics(of: model, batches: batches, communicator: communicator, isInterrupted: isInterrupted)
        }
      return values.map { (name: "eval_" + $0.name, value: $0.value) }
    }
  }

  /// Computes something beside training: each holds memory of other sizes, which would add up.
  ///
  /// - Throws: `TrainingLoop.Interruption` where what `body` computed is incomplete.
  private func apart<R>(_ body: () throws -> R) throws -> R {
    BufferPool.shared.trim()
    defer { BufferPool.shared.trim() }
    let result = try body()
    if try communicator.any(isInterrupted()) { throw TrainingLoop.Interruption() }
    return result
  }
}
