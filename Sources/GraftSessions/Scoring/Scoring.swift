import GraftBatching
import GraftDatasets
import GraftJSON
import GraftLayers
import GraftTensors

/// The score of one example, as `graft score` prints it.
public enum ExampleScore: Sendable {
  /// A text: its tokens and the logarithms of their probabilities, where the model predicts them.
  case tokens(index: Int, [Int32], logProbabilities: [Float?], isScored: [Bool])
  /// A classified text: its logits and what they say: the name of a class, a list of names, or a number.
  case label(index: Int, logits: [Float], JSON)

  /// The score as a line of `graft score --json`.
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
      return ["index": .integer(index), "logits": .array(logits.map { .number(Double($0)) }), "label": label]
    }
  }
}

extension ModelSession {
  /// Scores every record of a data file, in order.
  ///
  /// - Parameter maxLength: the most tokens that the model reads at once; as many as it has positions where nil.
  public func scores(of path: String, maxLength: Int? = nil, _ body: (ExampleScore) throws -> Void) throws {
    let records = try records(of: path)
    guard !records.isEmpty else { throw SessionError(.data, "\(path): holds no records; add at least one line") }
    var encoder = try encoder(maxLength: maxLength)
    encoder.requiresLabels = false
    let encoded = try records.enumerated().map { try encoder.encodeCut($1, index: $0) }
    let examples = encoded.map(\.example)
    noteCut(encoded.count { $0.isCut }, of: records.count, encoder)
    let parts = try windows(of: examples.map { $0.scoringEverything(task) }, encoder, maxLength: maxLength)
    for (index, window) in parts { try DataPreparation.check([window.example], of: [records[index]], for: model) }
    var found: [Int: [Float?]] = [:]
    for group in parts.indices.grouped(tokens: { parts[$0].window.example.tokens.count + (parts[$0].window.example.source?.count ?? 0) }) {
      let members = group.map { parts[$0] }
      switch model {
      case let model as any SequenceClassifier: for score in try labelScores(members, model) { try body(score) }
      case let model as any LanguageModel:
        let values = try logProbabilities(members.map(\.window.example), model)
        for (number, part) in group.enumerated() {
          let (index, window) = parts[part]
          var whole = found[index] ?? Array(repeating: nil, count: examples[index].tokens.count)
          for (place, value) in zip(window.places, values[number]) where value != nil { whole[place] = value }
          found[index] = whole
          // The last window of an example completes its line.
          guard part + 1 == parts.endIndex || parts[part + 1].index != index else { continue }
          found[index] = nil
          try body(tokenScore(examples[index], index: index, whole))
        }
      default: throw SessionError(.usage, "\(self.path): \(task.rawValue) is not supported by score; it takes language models and text classifiers")
      }
    }
  }

  private func labelScores(_ parts: [(index: Int, window: ExampleWindow)], _ model: any SequenceClassifier) throws -> [ExampleScore] {
    let logits = model.logits(Batch(collating: parts.map(\.window.example), objective: .labels).input, .inference)
    let values = logits.values
    let count = logits.shape.columns
    try requireFinite(values)
    return parts.enumerated().map { row, part in
      let line = Array(values[row * count..<(row + 1) * count])
      return .label(index: part.index, logits: line, labelScheme?.label(for: line) ?? .null)
    }
  }

  /// The logarithm of the probability of every token that the model predicts in each example.
  private func logProbabilities(_ examples: [EncodedExample], _ model: any LanguageModel) throws -> [[Float?]] {
    let batch = Batch(collating: examples, objective: DataPreparation.objective(task, for: model))
    let rows = batch.lossRows
    let predictions = model.predictions(batch)
    try requireFinite(predictions.map(\.logProbability))
    // A causal row predicts the token after it, any other its own.
    let shift = task == .causalLM ? 1 : 0
    var byRow: [Int: Float] = [:]
    for (row, prediction) in zip(rows, predictions) { byRow[Int(row) + shift] = prediction.logProbability }
    return batch.input.spans.map { span in span.range.enumerated().map { place, row in place < shift ? nil : byRow[row] } }
  }

  private func tokenScore(_ example: EncodedExample, index: Int, _ found: [Float?]) -> ExampleScore {
    let isScored = task == .maskedLM ? found.map { $0 != nil } : example.isScored
    return .tokens(index: index, example.filledTokens, logProbabilities: found, isScored: isScored)
  }
}

extension EncodedExample {
  /// For texts, the same example with every token but the first to be predicted, whether or not it carries loss; but for a
  /// prompt that sees itself.
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
  package func grouped(tokens: (Int) -> Int, atMost limit: Int = 4096) -> [[Int]] {
    var groups: [[Int]] = []
    var size = 0
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
