import Foundation

/// The filters of draws: each leaves the more probable tokens, in the order in which Transformers applies them.
extension LogitsProcessors {
  /// - Precondition: a temperature above 0.
  func filter(_ scores: inout [Float], keeping kept: Int) {
    divide(&scores, by: settings.temperature)
    if let share = settings.topH { keepEntropy(share, of: &scores) }
    if let k = settings.topK, k > 0, max(k, kept) < scores.count { keepLargest(max(k, kept), of: &scores) }
    if let p = settings.topP, p < 1 { keepMass(p, of: &scores, keeping: kept) }
    if let p = settings.minP, p > 0 {
      let best = scores.max() ?? 0
      keep(atLeast: kept, of: &scores) { exp($0 - best) >= p }
    }
    if let mass = settings.typicalP, mass < 1 { keepTypical(mass, of: &scores, keeping: kept) }
    if settings.epsilonCutoff > 0 {
      let probabilities = Distribution(scores)
      keep(atLeast: kept, of: &scores) { probabilities[$0] >= Double(settings.epsilonCutoff) }
    }
    if settings.etaCutoff > 0 {
      let probabilities = Distribution(scores)
      let epsilon = Double(settings.etaCutoff)
      let least = min(epsilon, epsilon.squareRoot() * exp(-probabilities.entropy))
      keep(atLeast: kept, of: &scores) { probabilities[$0] >= least }
    }
  }

  private func divide(_ scores: inout [Float], by temperature: Float) {
    guard temperature != 1 else { return }
    // Over almost nothing an ordinary score is beyond every number; what counts is how far it is from the best.
    let origin = temperature < 1e-6 ? scores.max() ?? 0 : 0
    for token in scores.indices { scores[token] = (scores[token] - origin) / temperature }
  }

  private func keepLargest(_ count: Int, of scores: inout [Float]) {
    let least = scores.withUnsafeBufferPointer { $0.largest(count)[count - 1].value }
    for token in scores.indices where scores[token] < least { scores[token] = -.infinity }
  }

  /// Rules out what a test fails, but none of the `count` largest or what equals the last of them.
  private func keep(atLeast count: Int, of scores: inout [Float], _ test: (Float) -> Bool) {
    let least = scores.withUnsafeBufferPointer { $0.largest(count).last?.value } ?? 0
    for token in scores.indices where scores[token] < least && !test(scores[token]) { scores[token] = -.infinity }
  }

  /// Rules out the least probable tokens for as long as their probabilities add up to at most 1 - p, but never the best.
  private func keepMass(_ p: Float, of scores: inout [Float], keeping kept: Int) {
    let best = scores.max() ?? 0
    let weights = scores.map { Double(exp($0 - best)) }
    let spare = (1 - Double(p)) * weights.reduce(0, +)
    // All tokens below the mean of what can be spared can be spared together: only the others need an order.
    let floor = spare / Double(scores.count)
    var sum = 0.0
    var rest: [Int] = []
    var spared: [Int] = []
    for (token, weight) in weights.enumerated() {
      guard weight < floor else {
        rest.append(token)
        continue
      }
      sum += weight
      spared.append(token)
    }
    rest.sort { weights[$0] < weights[$1] || (weights[$0] == weights[$1] && $0 > $1) }
    for token in rest {
      sum += weights[token]
      guard sum <= spare else { break }
      spared.append(token)
    }
    let excess = max(0, kept - (scores.count - spared.count))
    if excess > 0 { spared.sort { weights[$0] < weights[$1] } }
    for token in spared.dropLast(excess) { scores[token] = -.infinity }
  }

  /// Leaves the tokens whose information is nearest to the mean, up to a mass and those as near as the last of them.
  private func keepTypical(_ mass: Float, of scores: inout [Float], keeping kept: Int) {
    let probabilities = Distribution(scores)
    let entropy = probabilities.entropy
    let distances = scores.map { abs(probabilities.information($0) - entropy) }
    let order = distances.indices.sorted { (distances[$0], $0) < (distances[$1], $1) }
    var sum = 0.0
    let last = order.first { token in
      sum += probabilities[scores[token]]
      return sum >= Double(mass)
    }
    let farthest = distances[last ?? order[order.count - 1]]
    for token in order.dropFirst(kept) where distances[token] > farthest { scores[token] = -.infinity }
  }

  /// Leaves the most probable tokens while their part of the entropy of the hundred best is at most a share of it.
  private func keepEntropy(_ share: Float, of scores: inout [Float]) {
    let best = scores.withUnsafeBufferPointer { $0.largest(100) }
    let probabilities = Distribution(best.map(\.value))
    let limit = Double(share) * probabilities.entropy
    var sum = 0.0
    let kept = best.prefix { candidate in
      sum += probabilities.entropyTerm(candidate.value)
      return sum <= limit
    }
    let tokens = Set(kept.map(\.index)).union(best.prefix(1).map(\.index))
    for token in scores.indices where !tokens.contains(token) { scores[token] = -.infinity }
  }
}

/// The probabilities that scores stand for.
private struct Distribution {
  private let logSumExp: Double
  /// In nats.
  private(set) var entropy = 0.0

  init(_ scores: [Float]) {
    let best = Double(scores.max() ?? 0)
    logSumExp = best + log(scores.reduce(0) { $0 + exp(Double($1) - best) })
    for score in scores { entropy += entropyTerm(score) }
  }

  /// The probability of a score.
  subscript(score: Float) -> Double { exp(Double(score) - logSumExp) }

  /// Minus the logarithm of its probability.
  func information(_ score: Float) -> Double { logSumExp - Double(score) }

  func entropyTerm(_ score: Float) -> Double { score == -.infinity ? 0 : self[score] * information(score) }
}
