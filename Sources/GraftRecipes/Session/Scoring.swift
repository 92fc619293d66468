import GraftBatching
import GraftDatasets
import GraftJSON
import GraftLayers
import GraftTensors

/// What `graft score` says of one example.
public enum ExampleScore: Sendable {
  /// A text: its tokens and the logarithms of their probabilities, where the model predicts them.
  case tokens(index: Int, [Int32], logProbabilities: [Float?], isScored: [Bool])
  /// A classified text: its logits and the label of the largest.
  case label(index: Int, logits: [Float], String)

  public var json: JSON {
    switch self {
    case .tokens(let index, let tokens, let logProbabilities, let isScored):
      let scored = zip(logProbabilities, isScored).compactMap { $1 ? $0.map(Double.init) : nil }
      let loss = scored.isEmpty ? 0 : -scored.reduce(0, +) / Double(scored.count)
      return [
        "index": .integer(index), "tokens": .array(tokens.map { .integer(Int($0)) }),
        "logprobs": .array(logProbabilities.map { $0.map { .number(Double($0)) } ?? .null }), "scored": .array(isScored.map(JSON.bool)),
        "loss": .number(loss),
      ]
    case .label(let index, let logits, let label):
      return ["index": .integer(index), "logits": .array(logits.map { .number(Double($0)) }), "label": .string(label)]
    }
  }
}

extension ModelSession {
  /// Scores every record of a data file, in order.
  public func scores(of path: String, _ body: (ExampleScore) throws -> Void) throws {
    let records = try DataFile.records(of: path)
    guard !records.isEmpty else { throw SessionError(.data, "\(path): holds no records; add at least one line") }
    let encoder = try encoder(for: records)
    let examples = try records.enumerated().map { try encoder.encode($1, index: $0) }
    try DataPreparation.check(examples, of: records, for: model)
    for group in examples.indices.grouped(tokens: { examples[$0].tokens.count + (examples[$0].source?.count ?? 0) }) {
      let members = group.map { ($0, examples[$0]) }
      for score in try scores(members) { try body(score) }
    }
  }

  private func scores(_ examples: [(index: Int, EncodedExample)]) throws -> [ExampleScore] {
    switch model {
    case let model as any SequenceClassifier: try labelScores(examples, model.logits(SequenceInput(Batch(collating: examples.map(\.1), objective: .labels)), .inference))
    case let model as any LanguageModel: try tokenScores(examples, model)
    default: throw SessionError(.usage, "\(path): \(task.rawValue) is not supported by score; it takes language models and text classifiers")
    }
  }

  private func labelScores(_ examples: [(index: Int, EncodedExample)], _ logits: Tensor) throws -> [ExampleScore] {
    let values = logits.values, count = logits.shape.columns
    try requireFinite(values)
    return examples.enumerated().map { row, example in
      let line = Array(values[row * count..<(row + 1) * count])
      let best = line.indices.max { line[$0] < line[$1] } ?? 0
      return .label(index: example.index, logits: line, best < labels.count ? labels[best] : "LABEL_\(best)")
    }
  }

  /// Every token that the model can predict is scored, whether or not it carries loss.
  private func tokenScores(_ examples: [(index: Int, EncodedExample)], _ model: any LanguageModel) throws -> [ExampleScore] {
    let batch = Batch(collating: examples.map { $0.1.scoringEverything(task) }, objective: DataPreparation.objective(task, for: model))
    let rows = batch.lossRows
    let predictions = model.predictions(model.headInputs(batch, rows: rows, .inference), targets: rows.map { batch.targets[Int($0)] })
    try requireFinite(predictions.map(\.logProbability))
    // A causal row predicts the token after it, any other its own.
    let shift = task == .causalLM ? 1 : 0
    var byRow: [Int: Float] = [:]
    for (row, prediction) in zip(rows, predictions) { byRow[Int(row) + shift] = prediction.logProbability }
    return zip(examples, batch.spans).map { example, span in
      let found = span.range.enumerated().map { place, row in place < shift ? nil : byRow[row] }
      let isScored = task == .maskedLM ? found.map { $0 != nil } : example.1.isScored
      return .tokens(index: example.index, example.1.filledTokens, logProbabilities: found, isScored: isScored)
    }
  }
}

extension EncodedExample {
  /// For texts, the same example with every token but the first to be predicted; but for a prompt that sees itself.
  fileprivate func scoringEverything(_ task: LearningTask) -> EncodedExample {
    guard task == .causalLM else { return self }
    var copy = self
    copy.isScored = tokens.indices.map { $0 > 0 && $0 >= promptLength ?? 0 }
    return copy
  }

  /// The tokens with those behind masks in their places.
  fileprivate var filledTokens: [Int32] {
    guard let tokenLabels else { return tokens }
    return zip(tokens, tokenLabels).map { $1 == Batch.ignoredTarget ? $0 : $1 }
  }
}

extension Range<Int> {
  /// Consecutive indices in groups of a few thousand tokens, so that a forward pass is large but bounded.
  func grouped(tokens: (Int) -> Int, atMost limit: Int = 4096) -> [[Int]] {
    var groups: [[Int]] = [], size = 0
    for index in self {
      let count = tokens(index)
      if groups.isEmpty || size + count > limit {
        groups.append([])
        size = 0
      }
      groups[groups.count - 1].append(index)
      size += count
    }
    return groups
  }
}
