import Foundation
import GraftTensors

/// Chooses a token from a row of logits.
struct TokenSampler {
  let settings: SamplingSettings
  private let processing: ScoreProcessing
  private let stream: RandomStream

  init(_ settings: SamplingSettings) {
    self.settings = settings
    processing = ScoreProcessing(settings)
    stream = RandomStream(seed: settings.seed).split("sampling")
  }

  /// - Parameters:
  ///   - logits: one a token of the vocabulary, all finite.
  ///   - history: the tokens so far, asked for only where they matter.
  ///   - sequence: which of the prompts, and `step`: which of its new tokens; together they determine the draw.
  func choose(_ logits: UnsafeBufferPointer<Float>, history: @autoclosure () -> [Int32], sequence: Int, step: Int) -> Int32 {
    let penalizes = settings.repetitionPenalty != 1
    guard settings.temperature > 0 else {
      guard penalizes else { return Self.best(logits) }
      var scores = Array(logits)
      processing.penalize(&scores, history: history())
      return scores.withUnsafeBufferPointer(Self.best)
    }
    let scores = processing.scores(Array(logits), history: penalizes ? history() : [])
    let best = scores.max() ?? 0
    let weights = scores.map { Double(exp($0 - best)) }
    var threshold = Double(stream.split(sequence).unit(at: step)) * weights.reduce(0, +)
    for (token, weight) in weights.enumerated() {
      threshold -= weight
      if threshold < 0 { return Int32(token) }
    }
    // Rounding alone leads here: the draw was at the very end.
    return Int32(weights.lastIndex { $0 > 0 } ?? 0)
  }

  /// The first of the largest.
  private static func best(_ logits: UnsafeBufferPointer<Float>) -> Int32 { Int32(logits.largest(1)[0].place) }
}
