import Foundation
import GraftTensors

/// Chooses a token from a row of logits: the most probable one, or a draw.
package struct TokenSampler {
  private let processors: LogitsProcessors
  private let isDrawn: Bool
  private let stream: RandomStream

  package init(_ settings: SamplingSettings, endIDs: Set<Int32> = []) {
    processors = LogitsProcessors(settings, endIDs: endIDs)
    isDrawn = settings.temperature > 0
    stream = RandomStream(seed: settings.seed).split("sampling")
  }

  /// Returns the next token.
  ///
  /// - Parameters:
  ///   - logits: one a token of the vocabulary.
  ///   - context: asked for only where it matters.
  ///   - sequence: the number of the prompt, and `step`: that of the new token; together they determine the draw.
  package func choose(
    _ logits: UnsafeBufferPointer<Float>, in context: @autoclosure () -> DecodingContext, sequence: Int, step: Int
  ) -> Int32 {
    if processors.changesNothing { return Int32(logits.firstIndexOfLargest) }
    var scores = Array(logits)
    processors.process(&scores, in: context())
    guard isDrawn else { return scores.withUnsafeBufferPointer { Int32($0.largest(1)[0].index) } }
    return Self.draw(scores, at: Double(stream.split(sequence).unit(at: step)))
  }

  /// Returns the token at a point of the distribution.
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
}
