import Foundation
import GraftTensors

/// Chooses a token from a row of logits.
package struct TokenSampler {
  private let processing: ScoreProcessing
  private let isDrawn: Bool
  private let stream: RandomStream

  package init(_ settings: SamplingSettings, endIDs: Set<Int32> = []) {
    processing = ScoreProcessing(settings, endIDs: endIDs)
    isDrawn = settings.temperature > 0
    stream = RandomStream(seed: settings.seed).split("sampling")
  }

  /// - Parameters:
  ///   - logits: one a token of the vocabulary.
  ///   - place: asked for only where it matters.
  ///   - sequence: which of the prompts, and `step`: which of its new tokens; together they determine the draw.
  package func choose(
    _ logits: UnsafeBufferPointer<Float>, at place: @autoclosure () -> ScorePlace, sequence: Int, step: Int
  ) -> Int32 {
    if processing.changesNothing { return Self.best(logits) }
    let scores = processing.scores(Array(logits), at: place())
    return isDrawn ? Self.draw(scores, at: Double(stream.split(sequence).unit(at: step))) : scores.withUnsafeBufferPointer(Self.best)
  }

  /// The token at a point of the distribution.
  /// - Parameter point: in `[0, 1)`.
  private static func draw(_ scores: [Float], at point: Double) -> Int32 {
    let best = scores.max() ?? 0
    // Of an infinite best no difference can be told.
    let weights = scores.map { $0 == best ? 1 : Double(exp($0 - best)) }
    var threshold = point * weights.reduce(0, +)
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
