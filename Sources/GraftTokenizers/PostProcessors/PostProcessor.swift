import GraftJSON

/// The tokens of one sequence on its way to an encoding.
package struct TokenRun: Equatable {
  package var ids: [Int32]
  package var typeIDs: [Int32]
  package var isSpecial: [Bool]
  /// The text of a pair that each token is of; nil for one that a post-processor added.
  package var sequences: [Int?]

  init(_ ids: [Int32], type: Int32, special: Bool = false, sequence: Int? = nil) {
    self.ids = ids
    typeIDs = Array(repeating: type, count: ids.count)
    isSpecial = Array(repeating: special, count: ids.count)
    sequences = Array(repeating: sequence, count: ids.count)
  }

  mutating func append(_ other: TokenRun) {
    ids += other.ids
    typeIDs += other.typeIDs
    isSpecial += other.isSpecial
    sequences += other.sequences
  }

  func with(type: Int32) -> TokenRun {
    var result = self
    result.typeIDs = Array(repeating: type, count: ids.count)
    return result
  }
}

/// Adds special tokens round one sequence or a pair of them.
protocol PostProcessor: Sendable {
  func process(_ runs: [TokenRun], addingSpecialTokens: Bool) -> [TokenRun]
}

/// Reads a post-processor of `tokenizer.json`.
func makePostProcessor(_ component: Component) throws(TokenizerError) -> any PostProcessor {
  switch component.type {
  case "Sequence":
    var steps: [any PostProcessor] = []
    for step in try component.components("processors") { steps.append(try makePostProcessor(step)) }
    return PostProcessorSequence(steps: steps)
  case "TemplateProcessing": return try TemplateProcessor(component)
  case "BertProcessing": return try ClassifierProcessor(component, isRoberta: false)
  case "RobertaProcessing": return try ClassifierProcessor(component, isRoberta: true)
  case "ByteLevel": return PostProcessorSequence(steps: [])
  default: throw component.unknown()
  }
}

/// Several post-processors, one after the other. ByteLevel, which only trims offsets, is one without steps.
struct PostProcessorSequence: PostProcessor {
  let steps: [any PostProcessor]

  func process(_ runs: [TokenRun], addingSpecialTokens: Bool) -> [TokenRun] {
    steps.reduce(runs) { $1.process($0, addingSpecialTokens: addingSpecialTokens) }
  }
}

/// `[CLS] A [SEP] B [SEP]`: BERT's, with types 0 and 1, or RoBERTa's, with a separator more and type 0 throughout.
struct ClassifierProcessor: PostProcessor {
  private let classifier: Int32
  private let separator: Int32
  private let isRoberta: Bool

  init(_ component: Component, isRoberta: Bool) throws(TokenizerError) {
    guard let classifier = component.json["cls"]?[1]?.int, let separator = component.json["sep"]?[1]?.int else {
      throw component.error("post-processor \(component.type) has no \"cls\" or no \"sep\"")
    }
    self.classifier = Int32(truncatingIfNeeded: classifier)
    self.separator = Int32(truncatingIfNeeded: separator)
    self.isRoberta = isRoberta
  }

  func process(_ runs: [TokenRun], addingSpecialTokens: Bool) -> [TokenRun] {
    let runs = isRoberta ? runs.map { $0.with(type: 0) } : runs
    guard addingSpecialTokens else { return runs }
    return runs.enumerated().map { index, run in
      let type: Int32 = isRoberta || index == 0 ? 0 : 1
      let opening = index == 0 ? [classifier] : isRoberta ? [separator] : []
      var result = TokenRun(opening, type: type, special: true)
      // What an earlier step added counts as text from here on: that is what the reference does.
      var inner = run
      inner.isSpecial = Array(repeating: false, count: inner.ids.count)
      result.append(inner)
      result.append(TokenRun([separator], type: type, special: true))
      return result
    }
  }
}
