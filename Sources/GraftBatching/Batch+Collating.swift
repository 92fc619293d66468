/// The targets of a batch's rows.
public enum BatchObjective: Sendable, Hashable {
  /// The next token of the same document, where that token is scored.
  case nextToken
  /// One label per document.
  case labels
  /// The example's own `tokenLabels` at each row (masked LM, token classification), beside its label where it has one too.
  case tokenLabels
  /// The same row's token, the decoder reading the tokens shifted right behind `startID` (sequence to sequence).
  case shiftedRight(startID: Int32)
  /// The next token of each answer, an example's own and the one that it is compared with.
  case answers
}

extension Batch {
  /// Lays `examples` end to end, one span each, or two where answers are compared, in the order given.
  public init(collating given: [EncodedExample], objective: BatchObjective) {
    let examples = objective == .answers ? given.flatMap { [$0, $0.contrast].compactMap { $0 } } : given
    var input = SequenceInput(examples.map(\.tokens))
    if case .shiftedRight(let startID) = objective {
      input.tokens = examples.flatMap { $0.tokens.isEmpty ? [] : [startID] + $0.tokens.dropLast() }
    }
    if examples.contains(where: { $0.typeIDs != nil }) {
      input.typeIDs = examples.flatMap { $0.typeIDs ?? Array(repeating: 0, count: $0.tokens.count) }
    }
    if examples.contains(where: { $0.promptLength != nil }) { input.promptLengths = examples.map { $0.promptLength ?? 0 } }
    self.init(
      input, targets: examples.flatMap { $0.targets(for: objective) },
      targetWeights: examples.contains { $0.lossWeights != nil } ? examples.flatMap { $0.targetWeights(for: objective) } : nil,
      labels: [.labels, .tokenLabels, .answers].contains(objective) ? examples.compactMap(\.label) : [],
      source: examples.contains { $0.source != nil } ? SequenceInput(examples.map { $0.source ?? [] }) : nil)
    if objective == .answers { comparison = AnswerComparison() }
  }
}

extension EncodedExample {
  fileprivate func targets(for objective: BatchObjective) -> [Int32] {
    switch objective {
    case .nextToken, .answers:
      tokens.indices.map { row in
        row + 1 < tokens.count && isScored[row + 1] ? tokens[row + 1] : Batch.ignoredTarget
      }
    case .labels:
      Array(repeating: Batch.ignoredTarget, count: tokens.count)
    case .tokenLabels:
      tokenLabels ?? Array(repeating: Batch.ignoredTarget, count: tokens.count)
    case .shiftedRight:
      tokens.indices.map { isScored[$0] ? tokens[$0] : Batch.ignoredTarget }
    }
  }

  /// The factors of the rows' losses: those of the tokens that the rows predict.
  fileprivate func targetWeights(for objective: BatchObjective) -> [Float] {
    guard let lossWeights, !lossWeights.isEmpty else { return Array(repeating: 1, count: tokens.count) }
    return objective == .nextToken || objective == .answers ? lossWeights.dropFirst() + [1] : lossWeights
  }
}
