import Foundation
import GraftAdapters
import GraftCheckpoints
import GraftJSON
import GraftOptimizers
import GraftRecipes

/// The findings of a run that is to go on in its directory.
struct Resumption {
  /// The checkpoint that it goes on from; nil for the beginning.
  let checkpoint: TrainingCheckpoint?
  /// Remarks for the user.
  let notes: [String]
  /// The summary of a run that has done all its steps.
  let finishedSummary: JSON?

  /// - Throws: `CheckpointError` of kind `cannotCreate` where the directory holds another run, with all that differs.
  init(of identity: RunIdentity, stepCount: Int, in run: String) throws {
    let (checkpoint, passedOver) = TrainingCheckpoint.newest(in: run)
    var notes = passedOver
    let summary = Self.json(run + "/summary.json")
    if let earlier = checkpoint == nil ? Self.identity(in: run, summary) : checkpoint?.identity {
      let differences = try identity.differences(from: earlier)
      guard differences.isEmpty else {
        throw CheckpointError(
          .cannotCreate, run, "holds another run: " + differences.joined(separator: ", "),
          remedy: "change that back, or start anew with --overwrite or another --output"
            + " (how long is trained, and what is logged, evaluated and saved, may change)")
      }
    } else if checkpoint != nil {
      notes.append("the checkpoint does not say what run it belongs to; it is taken for this one's")
    }
    self.checkpoint = checkpoint
    if let summary, let earlierCount = summary["total_steps"]?.int, earlierCount >= stepCount, let output = summary["output"]?.string,
      FileManager.default.fileExists(atPath: run + "/" + (output as NSString).lastPathComponent)
    {
      let done = summary["steps"]?.int ?? earlierCount
      notes.append(
        "the run is finished after \(done) steps, and \(stepCount) are asked for; to go on, raise training.max_steps or training.num_epochs")
      finishedSummary = summary
    } else {
      finishedSummary = nil
      if let checkpoint {
        notes.append(
          checkpoint.step < stepCount
            ? "going on from step \(checkpoint.step)"
            : "the run is finished: the checkpoint has \(checkpoint.step) steps, and \(stepCount) are asked for")
      } else {
        notes.append("there is no checkpoint to go on from; starting from the beginning")
      }
    }
    self.notes = notes
  }

  /// A run at the point where it goes on.
  struct Start {
    var state: RunState
    /// Remarks for the user.
    var notes: [String] = []
    /// The log so far.
    var metrics: [JSON] = []

    init(_ state: RunState) { self.state = state }
  }

  /// Brings an optimizer and a delta, whose weights are the checkpoint's already, to where the run goes on.
  func start(_ plan: RunPlan, _ identity: RunIdentity, _ optimizer: Optimizer, _ delta: Delta) throws -> Start {
    var start = Start(RunState(plan.firstState))
    start.notes = notes
    guard let checkpoint else { return start }
    try checkpoint.restore(optimizer)
    try checkpoint.restore(delta.schedule)
    start.notes += start.state.restore(step: checkpoint.step, epoch: checkpoint.epoch, checkpoint.state)
    if let earlier = checkpoint.identity?.evaluationSHA256, earlier != identity.evaluationSHA256 {
      start.state.training.selection = plan.selection
      start.notes.append("data.eval holds other examples than before; the best weights are chosen by these from here on")
    }
    start.metrics = checkpoint.metrics
    return start
  }

  /// The run that a directory without a checkpoint holds; nil where nothing says so.
  private static func identity(in run: String, _ summary: JSON?) -> RunIdentity? {
    guard let recipe = try? Recipe(file: run + "/recipe.yaml") else { return nil }
    return RunIdentity(recipe: recipe, trainSHA256: summary?["identity"]?["train_sha256"]?.string)
  }

  private static func json(_ path: String) -> JSON? {
    FileManager.default.contents(atPath: path).flatMap { try? JSON(parsing: $0) }
  }
}
