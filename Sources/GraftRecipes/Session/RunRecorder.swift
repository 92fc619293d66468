import Foundation
import GraftCheckpoints
import GraftJSON
import GraftTensors
import GraftTraining

/// Keeps what happens in a run, and writes its metrics, summary and reports.
final class RunRecorder {
  private let run: TrainingRun
  private let directory: RunDirectory
  private let board: TensorBoardWriter?
  private var points: [TrainingReport.Point] = []
  private var evaluations: [TrainingReport.Evaluation] = []
  private var before: [AnsweredPrompt] = [], after: [AnsweredPrompt] = []

  init(_ run: TrainingRun, _ directory: RunDirectory) throws {
    self.run = run
    self.directory = directory
    board = run.recipe.report.tensorboard ? try TensorBoardWriter(directory: directory.path) : nil
  }

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
    evaluations.append(
      TrainingReport.Evaluation(
        step: step, epoch: epoch, loss: values.first { $0.name == "eval_loss" }?.value ?? .nan,
        metrics: values.filter { $0.name != "eval_loss" }))
    try board?.writeScalars(values.map { ("eval/" + $0.name.dropFirst("eval_".count), $0.value) }, step: step)
  }

  func answered(_ answers: [AnsweredPrompt], isBefore: Bool) {
    if isBefore { before = answers } else { after = answers }
  }

  /// Writes `summary.json` and the reports.
  /// - Returns: the summary.
  func finish(step: Int, seconds: Double, tokens: Int, saved: String) throws -> JSON {
    let overview = run.overview, speed = Double(tokens) / max(seconds, 1e-9)
    var summary: JSON = [
      "model": .string(overview.modelName), "method": .string(overview.methodName), "steps": .integer(step),
      "trainable_parameters": .integer(overview.trainableParameters), "total_parameters": .integer(overview.totalParameters),
      "wall_seconds": .number(seconds), "tokens": .integer(tokens), "tokens_per_second": .number(speed),
      "peak_memory_bytes": .integer(ProcessMemory.peakBytes), "output": .string(saved),
    ]
    if let last = points.last { summary["final_loss"] = .number(last.loss) }
    if let last = evaluations.last {
      summary["eval_loss"] = .number(last.loss)
      for (name, value) in last.metrics { summary[name] = .number(value) }
      let best = evaluations.min { $0.loss < $1.loss }
      summary["best_eval_loss"] = .number(best?.loss ?? last.loss)
      summary["best_eval_step"] = .integer(best?.step ?? last.step)
    }
    if let first = evaluations.first, first.step == 0 {
      summary["initial_eval_loss"] = .number(first.loss)
      if let match = first.metrics.first(where: { $0.name == "eval_exact_match" }) { summary["initial_eval_exact_match"] = .number(match.value) }
    }
    try directory.write(summary.serialized(pretty: true) + "\n", to: "summary.json")
    try board?.synchronize()
    if run.recipe.report.html { try directory.write(report(overview, summary, seconds, speed, saved).html(), to: "report.html") }
    return summary
  }

  private func report(_ overview: RunOverview, _ summary: JSON, _ seconds: Double, _ speed: Double, _ saved: String) throws -> TrainingReport {
    var highlights: [(label: String, value: String)] = []
    if let match = summary["eval_exact_match"]?.double {
      let initial = summary["initial_eval_exact_match"]?.double.map { " (before: \(Figure.fixed(100 * $0, digits: 1)) %)" } ?? ""
      highlights.append(("Exact match", "\(Figure.fixed(100 * match, digits: 1)) %\(initial)"))
    }
    if let loss = summary["eval_loss"]?.double { highlights.append(("Held-out loss", Figure.fixed(loss, digits: 4))) }
    if let loss = summary["final_loss"]?.double { highlights.append(("Training loss", Figure.fixed(loss, digits: 4))) }
    highlights.append(("Trained parameters", Figure.compact(Double(overview.trainableParameters))))
    highlights.append(("Time", Figure.duration(seconds: seconds)))
    let samples = after.enumerated().prefix(8).map { index, answer in
      TrainingReport.Sample(
        prompt: answer.prompt, expected: answer.expected, before: index < before.count ? before[index].answer : nil, after: answer.answer)
    }
    return TrainingReport(
      title: "\(overview.methodName) on \(overview.modelName)", subtitle: "\(overview.exampleCount) examples, \(overview.stepCount) steps",
      highlights: highlights,
      summary: [
        ("Base model", overview.modelName), ("Method", overview.methodName),
        ("Trained parameters", "\(Figure.grouped(overview.trainableParameters)) of \(Figure.grouped(overview.totalParameters))"),
        ("Tokens per second", Figure.grouped(Int(speed))), ("Peak memory", Figure.bytes(ProcessMemory.peakBytes)), ("Result", saved),
      ],
      points: points, evaluations: evaluations, samples: samples, recipe: try run.recipe.rendered(), machine: Machine.description,
      commands: ["graft train \(run.output)/recipe.yaml"])
  }
}
