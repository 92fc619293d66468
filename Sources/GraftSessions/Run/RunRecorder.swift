import Foundation
import GraftCheckpoints
import GraftJSON
import GraftReports
import GraftTensors
import GraftTraining

/// Keeps what happens in a run, and writes its metrics, summary and reports.
final class RunRecorder {
  private let run: TrainingRun
  private let directory: RunDirectory
  private let board: TensorBoardWriter?
  private var points: [TrainingReport.Point]
  private var evaluations: [TrainingReport.Evaluation]
  private var before: [AnsweredPrompt], after: [AnsweredPrompt] = []

  /// How many answers a report shows.
  static let shownAnswers = 8

  /// Goes on with what an interrupted part of the run has recorded.
  init(_ run: TrainingRun, _ directory: RunDirectory) throws {
    self.run = run
    self.directory = directory
    before = run.state.answersBefore
    points = run.earlierMetrics.compactMap(TrainingReport.Point.init)
    evaluations = run.earlierMetrics.compactMap(TrainingReport.Evaluation.init)
    try TensorBoardWriter.cut(directory: directory.path, keeping: Self.eventCount(of: run.earlierMetrics))
    board = run.recipe.report.tensorboard ? try TensorBoardWriter(directory: directory.path) : nil
  }

  /// Returns how many events were written for lines of `metrics.jsonl`: one each, but for those that repeat an evaluation.
  private static func eventCount(of lines: [JSON]) -> Int {
    var known: [Int: Set<String>] = [:]
    return lines.count { line in
      guard let evaluation = TrainingReport.Evaluation(line) else { return true }
      let names = Set(evaluation.figures.map(\.name))
      let news = names.subtracting(known[evaluation.step] ?? [])
      known[evaluation.step, default: []].formUnion(names)
      return !news.isEmpty
    }
  }

  /// The loss of the last line of the log.
  var finalLoss: Double? { points.last?.loss }

  /// Whether nothing reaches the trained values any more, though something is left to learn.
  var hasLostGradient: Bool { points.last.map { $0.gradientNorm == 0 && $0.loss > 1e-3 } ?? false }

  func evaluation(at step: Int) -> TrainingReport.Evaluation? { evaluations.first { $0.step == step } }

  func isEvaluated(_ step: Int) -> Bool { evaluation(at: step) != nil }

  /// Whether an evaluation of a step counted answers.
  func isAnswered(_ step: Int) -> Bool { evaluation(at: step)?.metrics.contains { $0.name == AnswerCheck.figure } ?? false }

  func log(_ line: TrainingLine) throws {
    try directory.append(line.json)
    points.append(
      TrainingReport.Point(
        step: line.step, epoch: line.epoch, loss: line.loss, learningRate: line.learningRate, gradientNorm: line.gradientNorm,
        tokensPerSecond: line.tokensPerSecond))
    try board?.writeScalars(
      [
        ("train/loss", line.loss), ("train/learning_rate", line.learningRate), ("train/grad_norm", line.gradientNorm),
        ("train/tokens_per_second", line.tokensPerSecond),
      ], step: line.step)
  }

  func evaluated(step: Int, epoch: Double, _ values: [(name: String, value: Double)]) throws {
    var line: JSON = ["step": .integer(step), "epoch": .number(epoch)]
    for (name, value) in values { line[name] = .number(value) }
    try directory.append(line)
    let evaluation = TrainingReport.Evaluation(
      step: step, epoch: epoch, loss: values.first { $0.name == "eval_loss" }?.value ?? .nan, metrics: values.filter { $0.name != "eval_loss" })
    var news = values
    // Answers to prompts may come after the rest, once it is known which weights are the best.
    if let index = evaluations.firstIndex(where: { $0.step == step }) {
      let known = Set(evaluations[index].metrics.map(\.name) + ["eval_loss"])
      news.removeAll { known.contains($0.name) }
      evaluations[index] = evaluation
    } else {
      evaluations.append(evaluation)
    }
    guard !news.isEmpty else { return }
    try board?.writeScalars(news.map { ("eval/" + $0.name.dropFirst("eval_".count), $0.value) }, step: step)
  }

  func answered(_ answers: [AnsweredPrompt], isBefore: Bool) {
    if isBefore { before = answers } else { after = answers }
  }

  /// Writes `summary.json` and the reports.
  /// - Parameter resultStep: the step whose weights are the result.
  /// - Returns: the summary.
  func finish(_ state: RunState, resultStep: Int, saved: String, warnings: [String]) throws -> JSON {
    let overview = run.overview
    let seconds = state.progress.seconds
    let speed = Double(state.progress.tokens) / max(seconds, 1e-9)
    var summary: JSON = [
      "model": .string(overview.modelName), "method": .string(overview.methodName), "steps": .integer(state.step),
      "total_steps": .integer(state.stepCount), "trainable_parameters": .integer(overview.trainableParameters),
      "total_parameters": .integer(overview.totalParameters), "wall_seconds": .number(seconds), "tokens": .integer(state.progress.tokens),
      "tokens_per_second": .number(speed), "peak_memory_bytes": .integer(state.peakMemoryBytes), "output": .string(saved),
    ]
    if let last = points.last { summary["final_loss"] = .number(last.loss) }
    record(state, resultStep, in: &summary)
    if !warnings.isEmpty { summary["warnings"] = .array(warnings.map(JSON.string)) }
    summary["identity"] = run.identity.json
    try board?.synchronize()
    if run.recipe.report.html { try directory.write(report(overview, summary, warnings).html(), to: "report.html") }
    // Last, since with it the run is finished.
    try directory.write(summary.serialized(pretty: true) + "\n", to: "summary.json")
    return summary
  }

  /// The figures of the result's evaluation, of the best one and of the first.
  private func record(_ state: RunState, _ resultStep: Int, in summary: inout JSON) {
    if let result = evaluation(at: resultStep) {
      summary["eval_loss"] = .number(result.loss)
      for (name, value) in result.metrics { summary[name] = .number(value) }
      let trained = evaluations.filter { $0.step > 0 && !$0.loss.isNaN }
      let best = trained.min { $0.loss < $1.loss }
      summary["best_eval_loss"] = .number(best?.loss ?? result.loss)
      summary["best_eval_step"] = .integer(best?.step ?? result.step)
    }
    if run.selectsBest, let best = state.selection.best {
      summary["metric_for_best_model"] = .string(state.selection.metric)
      summary["best_metric"] = .number(best.value)
      summary["best_step"] = .integer(best.step)
      summary["result_step"] = .integer(resultStep)
    }
    if let first = evaluations.first, first.step == 0 {
      summary["initial_eval_loss"] = .number(first.loss)
      if let match = first.metrics.first(where: { $0.name == AnswerCheck.figure }) { summary["initial_eval_exact_match"] = .number(match.value) }
    }
  }

  private func report(_ overview: RunOverview, _ summary: JSON, _ warnings: [String]) throws -> TrainingReport {
    var highlights: [(label: String, value: String)] = []
    if let match = summary["eval_exact_match"]?.double {
      let initial = summary["initial_eval_exact_match"]?.double.map { " (before: \(Figure.fixed(100 * $0, digits: 1)) %)" } ?? ""
      highlights.append(("Exact match", "\(Figure.fixed(100 * match, digits: 1)) %\(initial)"))
    }
    if let loss = summary["eval_loss"]?.double { highlights.append(("Held-out loss", Figure.fixed(loss, digits: 4))) }
    if let loss = summary["final_loss"]?.double { highlights.append(("Training loss", Figure.fixed(loss, digits: 4))) }
    highlights.append(("Trained parameters", Figure.compact(Double(overview.trainableParameters))))
    highlights.append(("Time", Figure.duration(seconds: summary["wall_seconds"]?.double ?? 0)))
    let samples = after.enumerated().prefix(Self.shownAnswers).map { index, answer in
      TrainingReport.Sample(
        prompt: answer.prompt, expected: answer.expected, before: index < before.count ? before[index].answer : nil, after: answer.answer)
    }
    return TrainingReport(
      title: "\(overview.methodName) on \(overview.modelName)", subtitle: "\(overview.exampleCount) examples, \(overview.stepCount) steps",
      highlights: highlights,
      summary: [
        ("Base model", overview.modelName), ("Method", overview.methodName),
        ("Trained parameters", "\(Figure.grouped(overview.trainableParameters)) of \(Figure.grouped(overview.totalParameters))"),
        ("Tokens per second", Figure.grouped(Int(summary["tokens_per_second"]?.double ?? 0))),
        ("Peak memory", Figure.bytes(summary["peak_memory_bytes"]?.int ?? 0)), ("Result", summary["output"]?.string ?? ""),
      ],
      points: points, evaluations: evaluations, samples: samples, notes: warnings, recipe: try run.recipe.rendered(), machine: Machine.description,
      commands: ["graft train \(run.output)/recipe.yaml --output \(run.output)-again"])
  }
}

extension TrainingReport.Point {
  /// A line of `metrics.jsonl`; nil for one that tells of an evaluation.
  package init?(_ line: JSON) {
    guard let step = line["step"]?.int, let loss = line["loss"]?.double else { return nil }
    self.init(
      step: step, epoch: line["epoch"]?.double ?? 0, loss: loss, learningRate: line["learning_rate"]?.double ?? 0,
      gradientNorm: line["grad_norm"]?.double, tokensPerSecond: line["tokens_per_second"]?.double)
  }
}

extension TrainingReport.Evaluation {
  /// A line of `metrics.jsonl`; nil for one that tells of training.
  init?(_ line: JSON) {
    guard let step = line["step"]?.int, let loss = line["eval_loss"] else { return nil }
    let figures = (line.object ?? [:]).filter { $0.key.hasPrefix("eval_") && $0.key != "eval_loss" }
    self.init(
      step: step, epoch: line["epoch"]?.double ?? 0, loss: loss.double ?? .nan, metrics: figures.map { ($0.key, $0.value.double ?? .nan) })
  }

  /// Everything that was measured.
  var figures: [(name: String, value: Double)] { [(name: "eval_loss", value: loss)] + metrics }
}
