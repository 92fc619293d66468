import GraftBatching
import GraftLayers
import GraftSessions
import GraftTensors

/// A task's figure for every held-out example, of which the figure of the whole is the mean.
struct ExampleScores: Sendable {
  /// Such as `exact_match`, `accuracy` or `loss`.
  let metric: String
  let isHigherBetter: Bool
  let values: [Double]
  /// The answers, where the task is to answer.
  let answers: [AnsweredPrompt]

  var mean: Double { ScoreTable.mean(values) }
}

extension TrainingRun {
  /// Evaluates the model as it is on every held-out example, in the precision of its training: answers where there are any to
  /// give, else labels, else the mean loss of an example's tokens.
  /// - Parameter progress: told how many examples are evaluated.
  /// - Throws: `SessionError` where nothing is held out.
  func exampleScores(progress: ProgressHandler = { _ in }) throws -> ExampleScores {
    try plan.settings.recipe.training.precision.run { try computedScores(progress) }
  }

  private func computedScores(_ progress: ProgressHandler) throws -> ExampleScores {
    guard let evaluation = data.evaluation else { throw SessionError(.usage, "data.eval: missing; a comparison needs held-out examples") }
    if let hits = try preferenceHits() { return ExampleScores(metric: "preference_accuracy", isHigherBetter: true, values: hits, answers: []) }
    if let answers = data.answers {
      let outcome = try answers.run(by: model, progress: progress)
      return ExampleScores(metric: "exact_match", isHigherBetter: true, values: outcome.answers.map { $0.isExact ? 1 : 0 }, answers: outcome.answers)
    }
    let groups = evaluation.examples.indices.grouped(tokens: { evaluation.examples[$0].tokens.count + (evaluation.examples[$0].source?.count ?? 0) })
    func examples(_ group: [Int]) -> [EncodedExample] {
      progress(RunProgress(.evaluating, group.first ?? 0, of: evaluation.examples.count))
      return group.map { evaluation.examples[$0] }
    }
    switch model {
    case let model as any SequenceClassifier:
      let results = groups.map { labelScores(model, examples($0)) }
      let isRegression = results.first?.isRegression ?? false
      return ExampleScores(
        metric: isRegression ? "squared_error" : "accuracy", isHigherBetter: !isRegression, values: results.flatMap(\.values), answers: [])
    case let model as any TokenClassifier:
      return ExampleScores(
        metric: "accuracy", isHigherBetter: true, values: groups.flatMap { tokenLabelScores(model, examples($0)) }, answers: [])
    case let model as any LanguageModel:
      return ExampleScores(
        metric: "loss", isHigherBetter: false, values: groups.flatMap { losses(model, examples($0)) }, answers: [])
    default: throw SessionError(.usage, "task: \(plan.settings.recipe.task.rawValue) has no figure to compare by")
    }
  }

  private func labelScores(_ model: any SequenceClassifier, _ examples: [EncodedExample]) -> (values: [Double], isRegression: Bool) {
    let batch = Batch(collating: examples, objective: data.objective)
    let logits = model.logits(batch.input, .inference).values
    let width = model.labelCount
    var isRegression = false
    let values = batch.labels.enumerated().map { row, label -> Double in
      let line = Array(logits[row * width..<(row + 1) * width])
      switch label {
      case .class(let index): return line.indices.max { line[$0] < line[$1] } == index ? 1 : 0
      case .classes(let wanted): return Set(line.indices.filter { line[$0] > 0 }) == wanted ? 1 : 0
      case .value(let value):
        isRegression = true
        return Double((line[0] - value) * (line[0] - value))
      case .values(let wanted):
        isRegression = true
        return zip(line, wanted).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) } / Double(wanted.count)
      }
    }
    return (values, isRegression)
  }

  private func tokenLabelScores(_ model: any TokenClassifier, _ examples: [EncodedExample]) -> [Double] {
    let batch = Batch(collating: examples, objective: data.objective)
    let logits = model.logits(batch.input, .inference).values
    let width = model.labelCount
    return batch.meansOverRows { row in
      let line = logits[row * width..<(row + 1) * width]
      return (line.indices.max { line[$0] < line[$1] } ?? 0) - line.startIndex == Int(batch.targets[row]) ? 1 : 0
    }
  }

  private func losses(_ model: any LanguageModel, _ examples: [EncodedExample]) -> [Double] {
    let batch = Batch(collating: examples, objective: data.objective)
    let rows = batch.lossRows
    let predictions = model.predictions(batch)
    let byRow = Dictionary(zip(rows.map(Int.init), predictions.map { -Double($0.logProbability) })) { first, _ in first }
    return batch.meansOverRows { byRow[$0] ?? 0 }
  }
}

extension Batch {
  /// For every example the mean of a value over its rows that carry loss.
  fileprivate func meansOverRows(_ value: (Int) -> Double) -> [Double] {
    let carrying = Set(lossRows.map(Int.init))
    return input.spans.map { span in
      let rows = span.range.filter(carrying.contains)
      return rows.isEmpty ? 0 : rows.map(value).reduce(0, +) / Double(rows.count)
    }
  }
}
