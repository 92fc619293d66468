import GraftBatching
import GraftDatasets
import GraftJSON
import GraftLayers
import GraftTensors

/// What `graft score` says of one example.
public struct ExampleScore: Sendable {
  public var index: Int
  public var tokens: [Int32]
  /// log p(token | tokens before it); nil for the first.
  public var logProbabilities: [Float?]
  public var isScored: [Bool]

  /// The negative mean over the loss-carrying tokens.
  public var loss: Double {
    let scored = zip(logProbabilities, isScored).compactMap { $1 ? $0.map(Double.init) : nil }
    return scored.isEmpty ? 0 : -scored.reduce(0, +) / Double(scored.count)
  }

  public var json: JSON {
    [
      "index": .integer(index), "tokens": .array(tokens.map { .integer(Int($0)) }),
      "logprobs": .array(logProbabilities.map { $0.map { .number(Double($0)) } ?? .null }), "scored": .array(isScored.map(JSON.bool)),
      "loss": .number(loss),
    ]
  }
}

extension ModelSession {
  /// Scores every record of a data file, in order.
  public func scores(of path: String, _ body: (ExampleScore) throws -> Void) throws {
    let encoder = DataPreparation.encoder(try tokenizer())
    let model = try languageModel()
    let records = try DataFile.records(of: path)
    guard !records.isEmpty else { throw SessionError(.data, "\(path): holds no records; add at least one line") }
    let examples = try records.enumerated().map { try encoder.encode($1, index: $0) }
    for group in examples.indices.grouped(tokens: { examples[$0].tokens.count }) {
      for score in try scores(group.map { ($0, examples[$0]) }, model) { try body(score) }
    }
  }

  private func scores(_ examples: [(Int, EncodedExample)], _ model: any CausalLanguageModel) throws -> [ExampleScore] {
    let input = SequenceInput(examples.map(\.1.tokens))
    let hidden = model.hiddenStates(input, .inference)
    // Every row but the last of a document predicts the next one.
    let rows = input.spans.flatMap { Array($0.range.dropLast()) }
    let predictions = model.predictions(gatherRows(hidden, Tensor(rows.map(Int32.init))), targets: rows.map { input.tokens[$0 + 1] })
    try requireFinite(predictions.map(\.logProbability))
    var next = predictions.makeIterator()
    return examples.map { index, example in
      let found = example.tokens.indices.map { $0 == 0 ? nil : next.next()?.logProbability }
      return ExampleScore(index: index, tokens: example.tokens, logProbabilities: found, isScored: example.isScored)
    }
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
