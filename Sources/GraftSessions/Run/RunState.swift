import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftTraining

/// All that a run has come to besides weights and the optimizer's moments: with it a run that goes on ends as one that never stopped.
package struct RunState: Equatable {
  /// The state of the training loop.
  package var training: TrainingState
  /// The answers of the model before the first step, those that are shown.
  package var answersBefore: [AnsweredPrompt] = []
  /// The most memory that a process of the run held, in bytes.
  package var peakMemoryBytes = 0

  package init(_ training: TrainingState) { self.training = training }

  /// The record of a checkpoint, beside its step and epoch.
  package var json: JSON {
    let progress = training.progress
    var json: JSON = [
      "total_steps": .integer(training.stepCount), "tokens": .integer(progress.tokens), "seconds": .number(progress.seconds),
      "unlogged": ["loss": .number(progress.unloggedLoss), "terms": .number(progress.unloggedTerms)], "selection": training.selection.json,
      "stopped": .bool(training.isStopped), "peak_memory_bytes": .integer(peakMemoryBytes),
      "answers_before": .array(answersBefore.map(\.json)),
    ]
    if let scale = progress.lossScale { json["loss_scale"] = scale.json }
    if !progress.unloggedAuxiliary.isEmpty {
      json["unlogged_auxiliary"] = .object(JSONObject(progress.unloggedAuxiliary.map { ($0.name, .number($0.value)) }))
    }
    if !progress.expertLoads.windows.isEmpty { json["expert_loads"] = .array(progress.expertLoads.windows.map(\.json)) }
    return json
  }

  /// Goes on from a checkpoint's.
  /// - Returns: what the user should know of what it does not say.
  package mutating func restore(step: Int, epoch: Double, _ json: JSON) -> [String] {
    var notes: [String] = []
    (training.step, training.epoch) = (step, epoch)
    training.progress = TrainingProgress(
      tokens: json["tokens"]?.int ?? 0, seconds: json["seconds"]?.double ?? 0, unloggedLoss: json["unlogged"]?["loss"]?.double ?? 0,
      unloggedTerms: json["unlogged"]?["terms"]?.double ?? 0, lossScale: json["loss_scale"].flatMap { LossScale.State($0) })
    training.progress.unloggedAuxiliary = (json["unlogged_auxiliary"]?.object ?? [:]).map { AuxiliaryLoss($0.key, $0.value.double ?? 0) }
    training.progress.expertLoads = RecentExpertLoads((json["expert_loads"]?.array ?? []).map { RecentExpertLoads.Window($0) })
    training.isStopped = json["stopped"]?.bool ?? false
    peakMemoryBytes = json["peak_memory_bytes"]?.int ?? 0
    answersBefore = (json["answers_before"]?.array ?? []).map { AnsweredPrompt($0) }
    guard let earlierCount = json["total_steps"]?.int else {
      return ["the checkpoint is of an earlier version: which evaluation was the best, and how many were no better, begin anew"]
    }
    if !training.selection.restore(json["selection"]) {
      notes.append("the best weights are chosen by \(training.selection.metric) from here on")
    }
    if earlierCount != training.stepCount {
      notes.append(
        "the run has \(training.stepCount) steps now instead of \(earlierCount); the learning rate goes on as a schedule of "
          + "\(training.stepCount) gives it")
    }
    return notes
  }
}

extension LossScale.State {
  /// The record of a checkpoint.
  var json: JSON {
    ["scale": .number(scale), "updates_since_change": .integer(updatesSinceChange), "skipped_steps": .integer(skippedSteps)]
  }

  /// Nil where the record has no scale.
  init?(_ json: JSON) {
    guard let scale = json["scale"]?.double, scale > 0 else { return nil }
    self.init(scale: scale, updatesSinceChange: json["updates_since_change"]?.int ?? 0, skippedSteps: json["skipped_steps"]?.int ?? 0)
  }
}

extension RecentExpertLoads.Window {
  /// The record of a checkpoint.
  var json: JSON {
    let layers = layers.map { (layer: ExpertLoad) -> JSON in ["path": .string(layer.path), "rows": .array(layer.rows.map(JSON.integer))] }
    return ["steps": .integer(stepCount), "layers": .array(layers)]
  }

  init(_ json: JSON) {
    let layers = (json["layers"]?.array ?? []).map { layer in
      ExpertLoad(path: layer["path"]?.string ?? "", rows: (layer["rows"]?.array ?? []).map { $0.int ?? 0 })
    }
    self.init(stepCount: json["steps"]?.int ?? 0, layers: layers)
  }
}

extension BestSelection {
  /// The metric as a text names it.
  var title: String { metric == "eval_loss" ? "the evaluation loss" : metric }

  /// The record of a checkpoint.
  package var json: JSON {
    var json: JSON = ["metric": .string(metric), "greater_is_better": .bool(isGreaterBetter), "misses": .integer(misses)]
    if let best { json["best"] = ["step": .integer(best.step), "epoch": .number(best.epoch), "value": .number(best.value)] }
    return json
  }

  /// Goes on from a checkpoint's.
  /// - Returns: false where it went by another metric, of which nothing follows for this one.
  package mutating func restore(_ json: JSON?) -> Bool {
    guard let json, json["metric"]?.string == metric, json["greater_is_better"]?.bool == isGreaterBetter else { return false }
    let found = json["best"].flatMap { best -> Best? in
      guard let step = best["step"]?.int, let value = best["value"]?.double else { return nil }
      return Best(step: step, epoch: best["epoch"]?.double ?? 0, value: value)
    }
    resume(found ?? best, misses: json["misses"]?.int ?? 0)
    return true
  }
}
