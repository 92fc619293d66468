import GraftDatasets
import GraftLayers
import GraftTensors
import GraftTraining

/// The measurements of a run: on the examples held out, and by what the model answers to their prompts.
struct RunEvaluation {
  let model: any TrainableModel
  let data: RunData
  /// The processes of the run, which share the batches of an evaluation. Each answers all prompts.
  let communicator: any Communicator
  /// Asked in the middle of measurements; true ends them by `TrainingLoop.Interruption`.
  let isInterrupted: () -> Bool

  /// The metrics of the examples held out; none where there are no such examples.
  func metrics() throws -> MetricValues { try metrics(of: data.evaluation) }

  /// The evaluation that weights are chosen by.
  ///
  /// - Parameter metric: the metric that decides.
  /// - Throws: `SessionError` where it is not measured.
  func selection(by metric: String) throws -> TrainingLoop.Evaluation {
    var values = try metrics(of: data.selection)
    if metric == AnswerCheck.metric, let answers = data.selectionAnswers {
      values.append((AnswerCheck.metric, try apart { try answers.run(by: model, isInterrupted: isInterrupted).exactMatch }))
    }
    return TrainingLoop.Evaluation(values, decisive: try value(of: metric, in: values))
  }

  /// Answers to the prompts held out; nil where there are none.
  func answers() throws -> AnswerCheck.Outcome? {
    try data.answers.map { answers in try apart { try answers.run(by: model, isInterrupted: isInterrupted) } }
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

  private func metrics(of data: EncodedDataset?) throws -> MetricValues {
    guard let data else { return [] }
    return try apart {
      try Evaluator.metrics(
        of: model, batches: data.evaluationBatches(self.data.objective), communicator: communicator, isInterrupted: isInterrupted
      ).map { (name: "eval_" + $0.name, value: $0.value) }
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
