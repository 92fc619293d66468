import Foundation

/// Where in a sequence a token is chosen.
package struct ScorePlace {
  /// What is there: a decoder's prompt or an encoder-decoder's start token, then the new tokens.
  package var history: [Int32]
  /// How many of them were given.
  package var givenCount: Int
  /// What an encoder reads; of a decoder the prompt.
  package var source: [Int32]
  /// The most new tokens.
  package var limit: Int

  package init(history: [Int32], givenCount: Int, source: [Int32], limit: Int) {
    (self.history, self.givenCount, self.source, self.limit) = (history, givenCount, source, limit)
  }

  var newCount: Int { history.count - givenCount }
}

/// Turns logits, or a beam's log-probabilities, into the scores that tokens are chosen by, as Transformers' logits processors do.
package struct ScoreProcessing {
  let settings: SamplingSettings
  /// The ids that end a sequence.
  let endIDs: Set<Int32>
  private let isPlain: Bool

  package init(_ settings: SamplingSettings, endIDs: Set<Int32> = []) {
    (self.settings, self.endIDs) = (settings, endIDs)
    isPlain = settings.constraints == ScoreConstraints()
  }

  /// Whether logits are chosen by as they are.
  var changesNothing: Bool { isPlain && settings.temperature == 0 }

  /// The scores of a row, minus infinity for what is ruled out.
  ///
  /// - Parameters:
  ///   - logits: one a token of the vocabulary.
  ///   - place: asked for only where it matters.
  ///   - keptCount: how many tokens filters leave at least.
  package func scores(_ logits: [Float], keeping keptCount: Int = 1, at place: @autoclosure () -> ScorePlace) -> [Float] {
    var scores = logits
    if !isPlain { constrain(&scores, at: place()) }
    if settings.temperature > 0 { filter(&scores, keeping: keptCount) }
    return scores
  }
}

extension UnsafeBufferPointer<Float> {
  /// Their logarithms as probabilities: minus the logarithm of the sum of their exponentials.
  func logSoftmax() -> [Float] {
    let best = self.max() ?? 0
    let logSum = log(reduce(Float(0)) { $0 + exp($1 - best) })
    return map { $0 - best - logSum }
  }
}
