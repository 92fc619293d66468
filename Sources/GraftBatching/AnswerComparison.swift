/// The documents of a batch as answers that are compared: of every example its own answer, and behind it the one that it is compared with.
///
/// That is the rejected answer of a pair. An answer that is judged alone, by its label, is compared with another prompt's.
public struct AnswerComparison: Sendable, Equatable {
  /// The log-probability of every document's scored tokens under the reference, summed; nil where the loss asks for none.
  public var references: [Double]?

  /// - Parameter references: one a document.
  public init(references: [Double]? = nil) { self.references = references }
}

extension Batch {
  /// The rows that carry loss, for each document those of its own, as positions in `lossRows`.
  package var lossRowRanges: [Range<Int>] {
    var ranges: [Range<Int>] = []
    var end = 0
    for span in input.spans {
      let start = end
      end += span.range.count { targets[$0] != Self.ignoredTarget }
      ranges.append(start..<end)
    }
    return ranges
  }

  /// Some of the documents, in the order of `chosen`, without what compares them.
  package func documents(_ chosen: [Int]) -> Batch {
    let spans = chosen.map { input.spans[$0].range }
    var selected = SequenceInput(spans.map { Array(input.tokens[$0]) })
    selected.positions = spans.flatMap { input.positions[$0] }
    selected.typeIDs = input.typeIDs.map { ids in spans.flatMap { ids[$0] } }
    selected.promptLengths = input.promptLengths.map { lengths in chosen.map { lengths[$0] } }
    return Batch(
      selected, targets: spans.flatMap { targets[$0] }, targetWeights: targetWeights.map { weights in spans.flatMap { weights[$0] } })
  }
}

extension EncodedExample {
  /// The position of the first token of its answer: the first that is scored; nil where none is.
  var answerStart: Int? { isScored.firstIndex(of: true) }

  /// Returns the example beside its own prompt with another's answer.
  ///
  /// The answers of other prompts say how far a model has moved from its reference at all (Ethayarajh et al. 2024, section 4.1).
  /// - Parameter maxLength: the most tokens of the prompt with that answer; nil does not cut.
  public func contrasted(with other: EncodedExample, maxLength: Int? = nil) -> EncodedExample {
    guard let start = answerStart, let otherStart = other.answerStart else { return self }
    let end = maxLength.map { min(other.tokens.count, max(otherStart + 1, otherStart + $0 - start)) } ?? other.tokens.count
    var result = self
    result.contrast = EncodedExample(
      tokens: Array(tokens[..<start] + other.tokens[otherStart..<end]), isScored: Array(isScored[..<start] + other.isScored[otherStart..<end]),
      promptLength: promptLength.map { _ in start })
    return result
  }
}

/// The partners of examples whose answers are judged alone: each is compared with the answer to the prompt before it in its group.
///
/// Groups are as large as a micro-batch, in the order of the data, and the partner of a group's first example is its last, as in TRL. So
/// partners stay the same in every epoch, and with them what the reference says of them.
public struct AnswerPartners: Sendable {
  private let groupSize: Int
  private let count: Int

  /// - Parameters:
  ///   - groupSize: the examples of a group; of a single one, the whole is a group.
  ///   - count: the number of examples.
  public init(groupSize: Int, count: Int) {
    (self.groupSize, self.count) = (groupSize > 1 ? groupSize : max(1, count), count)
  }

  /// Returns the example whose answer another one is compared with.
  public subscript(index: Int) -> Int {
    let start = index / groupSize * groupSize
    if index > start { return index - 1 }
    let last = min(start + groupSize, count) - 1
    // A group of one, at the end, borrows from the one before it.
    return last > start ? last : max(0, start - 1)
  }
}
