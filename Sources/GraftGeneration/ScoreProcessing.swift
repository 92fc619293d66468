import Foundation

/// Turns logits into the scores that tokens are drawn by, as Transformers' logits processors do.
package struct ScoreProcessing {
  let settings: SamplingSettings

  package init(_ settings: SamplingSettings) { self.settings = settings }

  /// The scores of a row, minus infinity for what is ruled out.
  /// - Parameters:
  ///   - logits: one a token of the vocabulary.
  ///   - history: the tokens so far, which the repetition penalty counts once each.
  /// - Precondition: a temperature above 0.
  package func scores(_ logits: [Float], history: [Int32]) -> [Float] {
    var scores = logits
    penalize(&scores, history: history)
    if settings.temperature != 1 { for token in scores.indices { scores[token] /= settings.temperature } }
    if let k = settings.topK, k > 0, k < scores.count { keepLargest(k, of: &scores) }
    if let p = settings.topP, p < 1 { keepMass(p, of: &scores) }
    if let p = settings.minP, p > 0 {
      let best = scores.max() ?? 0
      for token in scores.indices where exp(scores[token] - best) < p { scores[token] = -.infinity }
    }
    return scores
  }

  /// Applies the repetition penalty to logits or log-probabilities.
  func penalize(_ scores: inout [Float], history: [Int32]) {
    guard settings.repetitionPenalty != 1 else { return }
    for token in Set(history) {
      let score = scores[Int(token)]
      scores[Int(token)] = score < 0 ? score * settings.repetitionPenalty : score / settings.repetitionPenalty
    }
  }

  private func keepLargest(_ count: Int, of scores: inout [Float]) {
    let least = scores.withUnsafeBufferPointer { $0.largest(count)[count - 1].value }
    for token in scores.indices where scores[token] < least { scores[token] = -.infinity }
  }

  /// Rules out the least probable tokens for as long as their probabilities add up to at most 1 - p, but never the best.
  private func keepMass(_ p: Float, of scores: inout [Float]) {
    let best = scores.max() ?? 0
    let weights = scores.map { Double(exp($0 - best)) }
    let spare = (1 - Double(p)) * weights.reduce(0, +)
    // All tokens below the mean of what can be spared can be spared together: only the others need an order.
    let floor = spare / Double(scores.count)
    var sum = 0.0, rest: [Int] = []
    for (token, weight) in weights.enumerated() {
      guard weight < floor else {
        rest.append(token)
        continue
      }
      sum += weight
      scores[token] = -.infinity
    }
    rest.sort { weights[$0] < weights[$1] || (weights[$0] == weights[$1] && $0 > $1) }
    for token in rest.dropLast() {
      sum += weights[token]
      guard sum <= spare else { break }
      scores[token] = -.infinity
    }
  }
}
