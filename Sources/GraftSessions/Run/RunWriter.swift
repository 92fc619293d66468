import GraftCheckpoints
import GraftJSON
import GraftOptimizers
import GraftReports
import GraftTraining

/// Writes the files of a run: `recipe.yaml`, `metrics.jsonl`, TensorBoard's events, checkpoints, the result, `summary.json` and the report.
///
/// Of the processes that share a run the first one writes; the others keep the history alone.
final class RunWriter {
  private let product: RunProduct
  private let output: String
  /// Nil in a process that writes nothing.
  private let directory: RunDirectory?
  private let board: TensorBoardWriter?
  private(set) var history: RunHistory

  /// Takes possession of the run directory, and goes on with what an interrupted part of the run has recorded.
  ///
  /// - Parameters:
  ///   - output: the run directory.
  ///   - claim: the right to it; nil in a process that writes nothing.
  ///   - metrics: the lines of `metrics.jsonl` to keep.
  ///   - state: where the run goes on from.
  /// - Throws: `CheckpointError` and `ReportError` where files cannot be written.
  init(_ product: RunProduct, output: String, claim: OutputClaim?, metrics: [JSON], state: RunState) throws {
    (self.product, self.output) = (product, output)
    history = RunHistory(metrics: metrics, answersBefore: state.answersBefore)
    guard let claim else {
      (directory, board) = (nil, nil)
      return
    }
    let directory = try RunDirectory(claim, keeping: metrics)
    self.directory = directory
    // A kill may have come between a checkpoint and the removal of those before it.
    try TrainingCheckpoint.rotate(in: output, at: state.training.step, keeping: product.recipe.training.saveTotalLimit, removingLater: false)
    try directory.write(try product.recipe.rendered(), to: "recipe.yaml")
    try TensorBoardWriter.cut(directory: output, keeping: RunHistory.eventCount(of: metrics))
    board = product.recipe.report.tensorboard ? try TensorBoardWriter(directory: output) : nil
  }

  /// Writes a line of the training log.
  func log(_ line: TrainingLine) throws {
    try directory?.append(line.json)
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
    try directory?.append(line)
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
    guard let directory else { return }
    let step = state.training.step
    try product.writeCheckpoint(optimizer, state, metrics: directory.metrics, to: output, as: "step-\(step)")
    try TrainingCheckpoint.rotate(in: output, at: step, keeping: product.recipe.training.saveTotalLimit, removingLater: true)
  }

  /// Keeps the weights as the best so far.
  func writeBest(_ state: RunState) throws {
    guard let directory else { return }
    try product.writeCheckpoint(nil, state, metrics: directory.metrics, to: output, as: TrainingCheckpoint.bestName)
  }

  /// Writes the weights as the result.
  /// - Returns: where they are.
  func writeResult(step: Int, epoch: Double) throws -> String {
    let path = product.resultPath(in: output)
    if directory != nil { try product.writeResult(to: path, step: step, epoch: epoch) }
    return path
  }

  /// Writes the report, and `summary.json` last, since with it the run is finished.
  func write(_ summary: RunSummary) throws {
    try board?.synchronize()
    guard let directory else { return }
    if product.recipe.report.html { try directory.write(try summary.report().html(), to: "report.html") }
    try directory.write(summary.json.serialized(pretty: true) + "\n", to: "summary.json")
  }
}
