import GraftJSON
import GraftTraining

/// An event of a run, told while it goes on.
public enum RunEvent: Sendable {
  /// The model and the data are ready.
  case started(RunOverview)
  /// An event of the training.
  case training(TrainingEvent)
  /// The metrics of an evaluation, by name, and the step.
  case evaluated(step: Int, MetricValues)
  /// A part that takes its time has come so far.
  case progress(RunProgress)
  /// A held-out prompt answered.
  case answered(AnsweredPrompt, isBefore: Bool)
  /// Something that the user should know.
  case note(String)
  /// The result is written.
  case saved(path: String)
}

/// The size of a run, told before its first step.
public struct RunOverview: Sendable {
  /// The model directory, or a description of random weights.
  public var modelName: String
  /// The `peft_type`.
  public var methodName: String
  /// The number of values that are trained.
  public var trainableParameters: Int
  /// The parameters of the base and those trained beside it.
  public var totalParameters: Int
  /// Examples to train on.
  public var exampleCount: Int
  /// Examples held out.
  public var evaluationCount: Int
  /// Optimizer steps.
  public var stepCount: Int
  /// Optimizer steps done already.
  public var firstStep: Int
}

/// A held-out prompt with the answer that was expected and the one that came.
public struct AnsweredPrompt: Sendable, Equatable {
  /// The prompt.
  public var prompt: String
  /// The answer that was expected.
  public var expected: String
  /// The answer that came.
  public var answer: String

  /// - Parameter expected: the answer of the data.
  public init(prompt: String, expected: String, answer: String) {
    self.prompt = prompt
    self.expected = expected
    self.answer = answer
  }
}

extension AnsweredPrompt {
  /// The record that checkpoints and results keep.
  package var json: JSON { ["prompt": .string(prompt), "expected": .string(expected), "answer": .string(answer)] }

  package init(_ json: JSON) {
    self.init(prompt: json["prompt"]?.string ?? "", expected: json["expected"]?.string ?? "", answer: json["answer"]?.string ?? "")
  }
}

/// The end of a run.
public struct RunOutcome: Sendable {
  /// True where it stopped early with a checkpoint to go on from.
  public var isInterrupted: Bool
  /// The run directory.
  public var output: String
  /// The content of `summary.json`.
  public var summary: JSON
}
