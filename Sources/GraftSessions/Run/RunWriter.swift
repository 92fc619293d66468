import GraftCheckpoints
import GraftJSON
import GraftOptimizers
import GraftReports
import GraftTraining

/// Writes the files of a run: `recipe.yaml`, `metrics.jsonl`, TensorBoard's events, checkpoints, the result, `summary.json` and the report.
///
/// All of it is of one process; a training that several share has one writer.
final class RunWriter {
  private let product: RunProduct
  private let directory: RunDirectory
  private let board: TensorBoardWriter?
  private(set) var history: RunHistory

  /// Takes possession of the run directory, and goes on with what an interrupted part of the run has recorded.
  ///
  /// - Parameters:
  ///   - claim: the right to the directory.
  ///   - metrics: the lines of `metrics.jsonl` to keep.
  ///   - state: where the run goes on from.
  /// - Throws: `CheckpointError` and `ReportError` where files cannot be written.
  init(_ product: RunProduct, claim: OutputClaim, metrics: [JSON], state: RunState) throws {
    self.product = product
    directory = try RunDirectory(claim, keeping: metrics)
    // A kill may have come between a checkpoint and the removal of those before it.
    try TrainingCheckpoint.rotate(
      in: directory.path, at: state.training.step, keeping: product.recipe.training.saveTotalLimit, removingLater: false)
    try directory.write(try product.recipe.rendered(), to: "recipe.yaml")
    history = RunHistory(metrics: metrics, answersBefore: state.answersBefore)
    try TensorBoardWriter.cut(directory: directory.path, keeping: RunHistory.eventCount(of: metrics))
    board = product.recipe.report.tensorboard ? try TensorBoardWriter(directory: directory.path) : nil
  }

  /// Writes a line of the training log.
  func log(_ line: TrainingLine) throws {
    try directory.append(line.json)
    history.add(line)
    try board?.writeScalars(
      [
        ("train/loss", line.loss), ("train/learning_rate", line.learningRate), ("train/grad_norm", line.gradientNorm),
        ("train/tokens_per_second", line.tokensPerSecond),
      ] + line.auxiliaryMetrics.map { ("train/" + $0.name, $0.value) }, step: line.step)
  }

  /// Writes the metrics of an evaluation.
  func log(_ values: MetricValues, step: Int, epoch: Double) throws {
    var line: JSON = ["step": .integer(step), "epoch": .number(epoch)]
    for (name, value) in values { line[name] = .number(value) }
    try directory.append(line)
    let news = history.add(values, step: step, epoch: epoch)
    guard !news.isEmpty else { return }
    try board?.writeScalars(news.map { ("eval/" + $0.name.dropFirst("eval_".count), $0.value) }, step: step)
  }

  /// Keeps answers for the report.
  func keep(_ answers: [AnsweredPrompt], isBefore: Bool) {
    if isBefore { history.answers.before = answers } else { history.answers.after = answers }
  }

  /// Writes a checkpoint of a step, and removes those beyond the most that are kept.
  func writeCheckpoint(_ optimizer: Optimizer, _ state: RunState) throws {
    let step = state.training.step
    try product.writeCheckpoint(optimizer, state, metrics: directory.metrics, to: directory.path, as: "step-\(step)")
    try TrainingCheckpoint.rotate(in: directory.path, at: step, keeping: product.recipe.training.saveTotalLimit, removingLater: true)
  }

  /// Keeps the weights as the best so far.
  func writeBest(_ state: RunState) throws {
    try product.writeCheckpoint(nil, state, metrics: directory.metrics, to: directory.path, as: TrainingCheckpoint.bestName)
  }

  /// Writes the weights as the result.
  /// - Returns: where they are.
  func writeResult(step: Int, epoch: Double) throws -> String {
    try product.writeResult(to: directory.path, step: step, epoch: epoch)
  }

  /// Writes the report, and `summary.json` last, since with it the run is finished.
  func write(_ summary: RunSummary) throws {
    try board?.synchronize()
    if product.recipe.report.html { try directory.write(try summary.report().html(), to: "report.html") }
    try directory.write(summary.json.serialized(pretty: true) + "\n", to: "summary.json")
  }
}
