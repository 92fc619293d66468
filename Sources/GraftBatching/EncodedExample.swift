/// The value a whole example carries in classification and regression.
public enum ExampleLabel: Sendable, Hashable {
  /// One class of several.
  case `class`(Int)
  /// Any number of classes (multi-label).
  case classes(Set<Int>)
  /// A number to predict.
  case value(Float)
  /// Several numbers to predict at once.
  case values([Float])
}

/// One example as token ids, ready to be laid into a `Batch`.
///
/// The per-token arrays (`isScored`, `lossWeights`, `typeIDs`, `tokenLabels`) have as many entries as `tokens`.
public struct EncodedExample: Sendable, Equatable {
  /// The ids the model reads; for sequence-to-sequence tasks the target's.
  public var tokens: [Int32]
  /// True for each token whose prediction carries loss.
  public var isScored: [Bool]
  /// The factor of each scored token's loss; nil where all of them count once.
  public var lossWeights: [Float]?
  /// Segment ids of models with two-segment inputs.
  public var typeIDs: [Int32]?
  /// The label of the whole example.
  public var label: ExampleLabel?
  /// The encoder's input of sequence-to-sequence tasks.
  public var source: [Int32]?
  /// The id to predict at each position (masked LM, token classification); `Batch.ignoredTarget` where there is none.
  public var tokenLabels: [Int32]?
  /// The number of leading tokens that see each other in both directions (prefix language models).
  public var promptLength: Int?
  /// Another answer to the same prompt, which this one is compared with; nil for examples that stand alone.
  public var contrast: EncodedExample? {
    get { contrasts.first }
    set { contrasts = newValue.map { [$0] } ?? [] }
  }
  /// None or one: a structure does not hold itself.
  private var contrasts: [EncodedExample] = []

  /// - Parameters:
  ///   - tokens: the ids that the model reads.
  ///   - isScored: true for each token whose prediction carries loss; nil for all of them.
  public init(
    tokens: [Int32], isScored: [Bool]? = nil, lossWeights: [Float]? = nil, typeIDs: [Int32]? = nil, label: ExampleLabel? = nil,
    source: [Int32]? = nil, tokenLabels: [Int32]? = nil, promptLength: Int? = nil
  ) {
    self.tokens = tokens
    self.isScored = isScored ?? Array(repeating: true, count: tokens.count)
    self.lossWeights = lossWeights
    self.typeIDs = typeIDs
    self.label = label
    self.source = source
    self.tokenLabels = tokenLabels
    self.promptLength = promptLength
    precondition(self.isScored.count == tokens.count, "isScored: one entry per token")
    precondition(lossWeights.map { $0.count == tokens.count } ?? true, "lossWeights: one entry per token")
    precondition(typeIDs.map { $0.count == tokens.count } ?? true, "typeIDs: one entry per token")
    precondition(tokenLabels.map { $0.count == tokens.count } ?? true, "tokenLabels: one entry per token")
  }

  /// The room the example takes in a packed row: the longer of its token lists, and that of the answer it is compared with.
  public var packedLength: Int { max(tokens.count, source?.count ?? 0) + (contrast?.packedLength ?? 0) }

  /// The number of tokens that a model reads of it, those of a source and of the answer it is compared with included.
  public var tokenCount: Int { tokens.count + (source?.count ?? 0) + (contrast?.tokenCount ?? 0) }
}
