/// The rows `start ..< start + count` of a batch that belong to one document: attention never leaves them.
public struct SequenceSpan: Sendable, Hashable {
  public var start: Int
  public var count: Int

  public init(start: Int, count: Int) {
    self.start = start
    self.count = count
  }

  public var range: Range<Int> { start..<start + count }
}

/// What the encoder of a sequence-to-sequence model reads: one span per document, in the order of the batch's own spans.
public struct EncoderInput: Sendable, Equatable {
  public var tokens: [Int32]
  public var positions: [Int32]
  public var spans: [SequenceSpan]

  public init(tokens: [Int32], positions: [Int32], spans: [SequenceSpan]) {
    self.tokens = tokens
    self.positions = positions
    self.spans = spans
  }
}

/// What one forward pass reads: the documents of several examples laid end to end, without padding.
///
/// With N rows (tokens) and D documents: `tokens`, `positions`, `targets`, `targetWeights` and `typeIDs` have N entries, `spans`,
/// `labels` and `promptLengths` have D.
public struct Batch: Sendable, Equatable {
  /// A target that carries no loss.
  public static let ignoredTarget: Int32 = -100

  public var tokens: [Int32]
  /// Restart at 0 in every document.
  public var positions: [Int32]
  /// One per document: attention never crosses them.
  public var spans: [SequenceSpan]
  /// For each row the id to predict there, `ignoredTarget` where there is no loss.
  public var targets: [Int32]
  /// For each row the factor of its loss; nil where all of them count once.
  public var targetWeights: [Float]?
  public var typeIDs: [Int32]?
  /// One per document for tasks with labels, otherwise empty.
  public var labels: [ExampleLabel]
  /// One per document for prefix LMs.
  public var promptLengths: [Int]?
  public var encoder: EncoderInput?

  public init(
    tokens: [Int32], positions: [Int32], spans: [SequenceSpan], targets: [Int32], targetWeights: [Float]? = nil,
    typeIDs: [Int32]? = nil, labels: [ExampleLabel] = [], promptLengths: [Int]? = nil, encoder: EncoderInput? = nil
  ) {
    self.tokens = tokens
    self.positions = positions
    self.spans = spans
    self.targets = targets
    self.targetWeights = targetWeights
    self.typeIDs = typeIDs
    self.labels = labels
    self.promptLengths = promptLengths
    self.encoder = encoder
  }

  /// How many rows carry loss.
  public var lossTokenCount: Int {
    targets.reduce(0) { $0 + ($1 == Self.ignoredTarget ? 0 : 1) }
  }

  /// How many documents the batch holds.
  public var exampleCount: Int { spans.count }

  /// How many terms the loss averages over: loss-carrying tokens, or documents where only they carry labels.
  public var lossTermCount: Int {
    let tokens = lossTokenCount
    return tokens > 0 ? tokens : labels.count
  }

  /// What the loss is divided by: its terms, or the sum of their classes' weights where they have some, as torch's mean is.
  ///
  /// A text with any number of classes is one term.
  public func lossWeight(classWeights: [Float]?) -> Double {
    guard let classWeights else { return Double(lossTermCount) }
    let tokens = targets.lazy.filter { $0 != Self.ignoredTarget }.map { Double(classWeights[Int($0)]) }
    if lossTokenCount > 0 { return tokens.reduce(0, +) }
    return labels.reduce(0) { sum, label in
      if case .class(let index) = label { sum + Double(classWeights[index]) } else { sum + 1 }
    }
  }

  /// Tokens read, the encoder's included.
  public var tokenCount: Int { tokens.count + (encoder?.tokens.count ?? 0) }
}
