/// The part of a sequence that is known when its next token is chosen.
package struct DecodingContext {
  /// A decoder's prompt or an encoder-decoder's start token, then the new tokens.
  package var history: [Int32]
  /// The number of them that were given.
  package var givenCount: Int
  /// The tokens that an encoder reads; of a decoder the prompt.
  package var source: [Int32]
  /// The most new tokens.
  package var limit: Int

  package init(history: [Int32], givenCount: Int, source: [Int32], limit: Int) {
    self.history = history
    self.givenCount = givenCount
    self.source = source
    self.limit = limit
  }

  var newCount: Int { history.count - givenCount }
}

/// Transformers' logits processors: they turn logits, or a beam's log-probabilities, into the scores that tokens are chosen by.
package struct LogitsProcessors {
  let settings: SamplingSettings
  /// The ids that end a sequence.
  let endIDs: Set<Int32>
  /// Sequences that never occur, as biases of their last tokens.
  let forbiddenSequences: [ScoreConstraints.SequenceBias]
  private let isPlain: Bool

  package init(_ settings: SamplingSettings, endIDs: Set<Int32> = []) {
    self.settings = settings
    self.endIDs = endIDs
    forbiddenSequences = settings.constraints.badWords.filter { $0.count > 1 || !endIDs.contains($0.first ?? -1) }
      .map { .init($0, bias: -.infinity) }
    isPlain = settings.constraints == ScoreConstraints()
  }

  /// True where logits are the scores as they are.
  var changesNothing: Bool { isPlain && settings.temperature == 0 }

  /// Turns the logits of a row into scores, minus infinity for what is ruled out.
  ///
  /// - Parameters:
  ///   - scores: the logits, one a token of the vocabulary.
  ///   - keptCount: the number of tokens that filters leave at least.
  ///   - context: asked for only where it matters.
  package func process(_ scores: inout [Float], keeping keptCount: Int = 1, in context: @autoclosure () -> DecodingContext) {
    if !isPlain { constrain(&scores, in: context()) }
    if settings.temperature > 0 { filter(&scores, keeping: keptCount) }
  }
}
