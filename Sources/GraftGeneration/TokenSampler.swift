import Foundation
import GraftTensors

/// Chooses a token from a row of logits.
struct TokenSampler {
  let settings: SamplingSettings
  private let stream: RandomStream

  init(_ settings: SamplingSettings) {
    self.settings = settings
    stream = RandomStream(seed: settings.seed).split("sampling")
  }

  /// - Parameters:
  ///   - logits: one a token of the vocabulary.
  ///   - history: the tokens so far, which the repetition penalty counts.
  ///   - sequence: which of the prompts, and `step`: which of its new tokens; together they determine the draw.
  func choose(_ logits: UnsafeBufferPointer<Float>, history: [Int32], sequence: Int, step: Int) -> Int32 {
    guard settings.temperature > 0 || settings.repetitionPenalty != 1 else { return Self.largest(logits) }
    var scores = Array(logits)
    if settings.repetitionPenalty != 1 {
      for token in Set(history) {
        let score = scores[Int(token)]
        scores[Int(token)] = score > 0 ? score / settings.repetitionPenalty : score * settings.repetitionPenalty
      }
    }
    guard settings.temperature > 0 else { return scores.withUnsafeBufferPointer(Self.largest) }
    var ranked = scores.indices.sorted { scores[$0] > scores[$1] || (scores[$0] == scores[$1] && $0 < $1) }
    if let k = settings.topK, k > 0 { ranked = Array(ranked.prefix(k)) }
    let best = scores[ranked[0]]
    var weights = ranked.map { Double(exp((scores[$0] - best) / settings.temperature)) }
    if let minP = settings.minP { weights = Array(weights.prefix { $0 >= Double(minP) }) }
    if let topP = settings.topP {
      let total = weights.reduce(0, +)
      var sum = 0.0
      let kept = weights.firstIndex { weight in
        sum += weight
        return sum >= Double(topP) * total
      }
      if let kept { weights = Array(weights.prefix(kept + 1)) }
    }
    var threshold = Double(stream.split(sequence).unit(at: step)) * weights.reduce(0, +)
    for (rank, weight) in weights.enumerated() {
      threshold -= weight
      if threshold < 0 { return Int32(ranked[rank]) }
    }
    return Int32(ranked[weights.count - 1])
  }

  /// The first of the largest.
  private static func largest(_ logits: UnsafeBufferPointer<Float>) -> Int32 {
    var best = 0
    for index in logits.indices where logits[index] > logits[best] { best = index }
    return Int32(best)
  }
}
