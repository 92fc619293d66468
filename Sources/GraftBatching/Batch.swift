/// The documents of several examples, laid end to end, with what each row or document is to predict.
///
/// With N rows (tokens) and D documents: `targets` and `targetWeights` have N entries, `labels` has D or none.
public struct Batch: Sendable, Equatable {
  /// A target that carries no loss.
  public static let ignoredTarget: Int32 = -100

  /// The tokens that the model reads; for sequence-to-sequence tasks those of its decoder.
  public var input: SequenceInput
  /// The id to predict at each row; `ignoredTarget` where there is no loss.
  public var targets: [Int32]
  /// The factor of each row's loss; nil where all of them count once.
  public var targetWeights: [Float]?
  /// One a document for tasks with labels, otherwise empty.
  public var labels: [ExampleLabel]
  /// The encoder's input of sequence-to-sequence tasks: one document for each of the batch's own, in their order.
  public var source: SequenceInput?
  /// The comparison of the batch's documents, where its loss is one of preferences; nil for any other.
  public var comparison: AnswerComparison?

  /// - Parameters:
  ///   - targets: the id to predict at each row.
  ///   - labels: one a document, or none.
  ///   - source: the encoder's input.
  public init(
    _ input: SequenceInput, targets: [Int32], targetWeights: [Float]? = nil, labels: [ExampleLabel] = [], source: SequenceInput? = nil
  ) {
    self.input = input
    self.targets = targets
    self.targetWeights = targetWeights
    self.labels = labels
    self.source = source
  }

  /// The number of rows that carry loss.
  public var lossTokenCount: Int {
    targets.reduce(0) { $0 + ($1 == Self.ignoredTarget ? 0 : 1) }
  }

  /// The number of documents.
  public var exampleCount: Int { input.spans.count }

  /// The number of terms that the loss averages over: rows that carry loss, documents where only they carry labels, or examples
  /// whose answers are compared.
  public var lossTermCount: Int {
    if comparison != nil { return exampleCount / 2 }
    let tokens = lossTokenCount
    return tokens > 0 ? tokens : labels.count
  }

  /// Returns what the loss is divided by: the number of its terms, or the sum of their classes' weights where they have
  /// some, as torch's mean is.
  ///
  /// A text with any number of classes is one term.
  public func lossWeight(classWeights: [Float]?) -> Double {
    guard comparison == nil, let classWeights else { return Double(lossTermCount) }
    let tokens = targets.lazy.filter { $0 != Self.ignoredTarget }.map { Double(classWeights[Int($0)]) }
    if lossTokenCount > 0 { return tokens.reduce(0, +) }
    return labels.reduce(0) { sum, label in
      if case .class(let index) = label { sum + Double(classWeights[index]) } else { sum + 1 }
    }
  }

  /// The number of tokens read, the encoder's included.
  public var tokenCount: Int { input.tokens.count + (source?.tokens.count ?? 0) }
}
