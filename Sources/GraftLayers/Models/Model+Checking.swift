import GraftErrors

/// A sequence that a model has no place for.
public struct SequenceError: UserError {
  public let description: String

  public var status: ErrorStatus { .malformedInput }
}

extension Model {
  /// Finds what would be looked up outside the model's tables, before anything is computed.
  ///
  /// - Parameters:
  ///   - name: the origin of the tokens, for messages.
  ///   - typeIDs: their segment ids.
  ///   - isTarget: true where they are what the decoder of an encoder-decoder reads.
  /// - Throws: `SequenceError` for a token outside the vocabulary, a segment the model does not have, or more tokens than
  ///   there are learned positions.
  public func check(_ tokens: [Int32], typeIDs: [Int32]? = nil, of name: String, isTarget: Bool = false) throws(SequenceError) {
    if let alien = typeIDs?.first(where: { $0 < 0 || $0 >= segmentCount }) {
      throw SequenceError(
        description:
          "\(name): the tokenizer makes a segment \(alien), but the model has \(segmentCount); correct its type_vocab_size or the tokenizer")
    }
    if let alien = tokens.first(where: { $0 < 0 || $0 >= vocabularySize }) {
      throw SequenceError(
        description: "\(name): token \(alien) is outside the model's vocabulary of \(vocabularySize); use the tokenizer that belongs to the model")
    }
    let virtual = isTarget ? catalog.targetVirtualTokenCount : catalog.virtualTokenCount
    if let maximumLength, tokens.count + virtual > maximumLength {
      let beside = virtual > 0 ? " and \(virtual) virtual ones" : ""
      throw SequenceError(
        description: "\(name): \(tokens.count) tokens\(beside) are more than the \(maximumLength) positions of the model; set a smaller max_length")
    }
  }
}
