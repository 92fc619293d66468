import GraftJSON
import GraftReports
import GraftTraining

/// The course of a run so far: the points of its log, its evaluations, and its answers to held-out prompts.
struct RunHistory {
  private(set) var points: [TrainingReport.Point]
  private(set) var evaluations: [TrainingReport.Evaluation]
  /// The answers of the untrained model, and those of the result.
  var answers: (before: [AnsweredPrompt], after: [AnsweredPrompt])

  /// The key of the imbalance of experts.
  static let imbalance = "expert_imbalance"

  /// The most answers that a report shows.
  static let shownAnswers = 8

  /// Goes on with what an interrupted part of the run has logged.
  init(metrics: [JSON], answersBefore: [AnsweredPrompt]) {
    points = metrics.compactMap(TrainingReport.Point.init)
    evaluations = metrics.compactMap(TrainingReport.Evaluation.init)
    answers = (answersBefore, [])
  }

  /// The loss of the last line of the log.
  var finalLoss: Double? { points.last?.loss }

  /// True where nothing reaches the trained values any more, though something is left to learn.
  var hasLostGradient: Bool { points.last.map { $0.gradientNorm == 0 && $0.loss > 1e-3 } ?? false }

  /// The evaluation of a step's weights; nil where there is none.
  func evaluation(at step: Int) -> TrainingReport.Evaluation? { evaluations.first { $0.step == step } }

  /// Returns true where an evaluation of a step's weights counted answers.
  func isAnswered(_ step: Int) -> Bool { evaluation(at: step)?.metrics.contains { $0.name == AnswerCheck.metric } ?? false }

  mutating func add(_ line: TrainingLine) {
    points.append(
      TrainingReport.Point(
        step: line.step, epoch: line.epoch, loss: line.loss, learningRate: line.learningRate, gradientNorm: line.gradientNorm,
        tokensPerSecond: line.tokensPerSecond, others: line.auxiliaryMetrics))
  }

  /// Adds an evaluation, which takes the place of an earlier one of the same step: answers may come after the rest, once it is known which
  /// weights are the best.
  ///
  /// - Returns: the metrics that are new.
  mutating func add(_ values: MetricValues, step: Int, epoch: Double) -> MetricValues {
    let evaluation = TrainingReport.Evaluation(
      step: step, epoch: epoch, loss: values.first { $0.name == "eval_loss" }?.value ?? .nan, metrics: values.filter { $0.name != "eval_loss" })
    guard let index = evaluations.firstIndex(where: { $0.step == step }) else {
      evaluations.append(evaluation)
      return values
    }
    let known = Set(evaluations[index].metrics.map(\.name) + ["eval_loss"])
    evaluations[index] = evaluation
    return values.filter { !known.contains($0.name) }
  }

  /// Returns how many TensorBoard events were written for lines of `metrics.jsonl`: one each, but for those that repeat an evaluation.
  static func eventCount(of lines: [JSON]) -> Int {
    var known: [Int: Set<String>] = [:]
    return lines.count { line in
      guard let evaluation = TrainingReport.Evaluation(line) else { return true }
      let names = Set(evaluation.values.map(\.name))
      let news = names.subtracting(known[evaluation.step] ?? [])
      known[evaluation.step, default: []].formUnion(names)
      return !news.isEmpty
    }
  }
}

extension TrainingLine {
  /// The keys of `metrics.jsonl` that lines of every training have, or may have; others are losses and loads of layers, under any name.
  fileprivate static let commonKeys: Set = [
    "step", "epoch", "loss", "learning_rate", "grad_norm", "tokens", "tokens_per_second", "elapsed_seconds", "loss_scale", "skipped_steps",
  ]

  /// The line of `metrics.jsonl`.
  var json: JSON {
    var json: JSON = [
      "step": .integer(step), "epoch": .number(epoch), "loss": .number(loss), "learning_rate": .number(learningRate),
      "grad_norm": .number(gradientNorm), "tokens": .integer(tokens), "tokens_per_second": .number(tokensPerSecond),
      "elapsed_seconds": .number(elapsedSeconds),
    ]
    if let lossScale {
      json["loss_scale"] = .number(lossScale.scale)
      json["skipped_steps"] = .integer(lossScale.skippedSteps)
    }
    for (name, value) in auxiliaryMetrics { json[name] = .number(value) }
    return json
  }

  /// The losses that layers add, and the imbalance of experts, under their keys in `metrics.jsonl`.
  package var auxiliaryMetrics: MetricValues {
    auxiliaryLosses.map { ($0.name, $0.value) } + (expertImbalance.map { [(name: RunHistory.imbalance, value: $0)] } ?? [])
  }
}

extension TrainingReport.Point {
  /// A line of `metrics.jsonl`; nil for one that tells of an evaluation.
  package init?(_ line: JSON) {
    guard let step = line["step"]?.int, let loss = line["loss"]?.double else { return nil }
    self.init(
      step: step, epoch: line["epoch"]?.double ?? 0, loss: loss, learningRate: line["learning_rate"]?.double ?? 0,
      gradientNorm: line["grad_norm"]?.double, tokensPerSecond: line["tokens_per_second"]?.double, others: Self.others(in: line))
  }
}

extension TrainingReport.Point {
  /// The losses that layers add, and the imbalance of experts.
  private static func others(in line: JSON) -> MetricValues {
    (line.object ?? [:]).compactMap { key, value in
      TrainingLine.commonKeys.contains(key) ? nil : value.double.map { (key, $0) }
    }
  }
}

extension TrainingReport.Evaluation {
  /// A line of `metrics.jsonl`; nil for one that tells of training.
  package init?(_ line: JSON) {
    guard let step = line["step"]?.int, let loss = line["eval_loss"] else { return nil }
    let metrics = (line.object ?? [:]).filter { $0.key.hasPrefix("eval_") && $0.key != "eval_loss" }
    self.init(
      step: step, epoch: line["epoch"]?.double ?? 0, loss: loss.double ?? .nan, metrics: metrics.map { ($0.key, $0.value.double ?? .nan) })
  }

  /// Everything that was measured.
  var values: MetricValues { [(name: "eval_loss", value: loss)] + metrics }
}
