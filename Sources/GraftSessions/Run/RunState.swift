import GraftCheckpoints
import GraftJSON
import GraftTraining

/// All that a run has come to besides weights and the optimizer's moments: with it a run that goes on ends as one that never stopped.
struct RunState: Equatable {
  /// Optimizer steps done.
  var step = 0
  var epoch = 0.0
  /// The steps that the run was to have.
  var stepCount = 0
  var progress = TrainingProgress()
  var selection = BestSelection()
  /// Whether early stopping has ended the training.
  var isStopped = false
  /// What the model answered before the first step, those that are shown.
  var answersBefore: [AnsweredPrompt] = []
  /// The most memory that a process of the run held.
  var peakMemoryBytes = 0

  var json: JSON {
    [
      "total_steps": .integer(stepCount), "tokens": .integer(progress.tokens), "seconds": .number(progress.seconds),
      "unlogged": ["loss": .number(progress.unloggedLoss), "terms": .number(progress.unloggedTerms)], "selection": selection.json,
      "stopped": .bool(isStopped), "peak_memory_bytes": .integer(peakMemoryBytes),
      "answers_before": .array(
        answersBefore.map { ["prompt": .string($0.prompt), "expected": .string($0.expected), "answer": .string($0.answer)] }),
    ]
  }

  /// Goes on from a checkpoint's.
  /// - Returns: what the user should know of what it does not say.
  mutating func restore(step: Int, epoch: Double, _ json: JSON) -> [String] {
    var notes: [String] = []
    (self.step, self.epoch) = (step, epoch)
    progress = TrainingProgress(
      tokens: json["tokens"]?.int ?? 0, seconds: json["seconds"]?.double ?? 0, unloggedLoss: json["unlogged"]?["loss"]?.double ?? 0,
      unloggedTerms: json["unlogged"]?["terms"]?.double ?? 0)
    (isStopped, peakMemoryBytes) = (json["stopped"]?.bool ?? false, json["peak_memory_bytes"]?.int ?? 0)
    answersBefore = (json["answers_before"]?.array ?? []).map {
      AnsweredPrompt(prompt: $0["prompt"]?.string ?? "", expected: $0["expected"]?.string ?? "", answer: $0["answer"]?.string ?? "")
    }
    guard let earlierCount = json["total_steps"]?.int else {
      return ["the checkpoint is of an earlier version: which evaluation was the best, and how many were no better, begin anew"]
    }
    if !selection.restore(json["selection"]) { notes.append("the best weights are chosen by \(selection.metric) from here on") }
    if earlierCount != stepCount {
      notes.append("the run has \(stepCount) steps now instead of \(earlierCount); the learning rate goes on as a schedule of \(stepCount) gives it")
    }
    return notes
  }
}
