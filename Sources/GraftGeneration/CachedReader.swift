import GraftBatching
import GraftLayers
import GraftTensors

/// A model that reads sequences side by side: what it has read is cached, and every step says what may come next.
final class CachedReader {
  private let model: any LanguageModel
  /// What an encoder made of the sources.
  private let source: EncoderStates?
  private let cache: KeyValueCache
  private let longest: Int
  private let allowsInvalidLogits: Bool

  /// - Parameters:
  ///   - sources: what an encoder-decoder reads first, one a sequence; a decoder leaves them alone.
  ///   - sequences: how many.
  ///   - longest: the most tokens that a sequence will have, where that is known: no more room is made.
  ///   - allowsInvalidLogits: whether logits that are not finite are no error.
  init(
    _ model: any LanguageModel, sources: [[Int32]] = [], sequences: Int, longest: Int = .max, allowsInvalidLogits: Bool = false
  ) {
    (self.model, self.longest, self.allowsInvalidLogits) = (model, longest, allowsInvalidLogits)
    source = sources.isEmpty ? nil : (model as? any SequenceToSequenceModel)?.encode(SequenceInput(sources), .inference)
    cache = KeyValueCache(sequences: sequences, capacity: 0)
  }

  /// The logits of what follows.
  ///
  /// - Parameter tokens: the new ones of every sequence, at least one each.
  /// - Returns: `[sequences, vocabulary]`.
  /// - Throws: `GenerationError` where they are not finite.
  func logits(after tokens: [[Int32]]) throws(GenerationError) -> Tensor {
    let reached = zip(cache.lengths, tokens).map { $0 + $1.count }.max() ?? 0
    if reached > cache.capacity { cache.grow(to: max(reached, min(longest, reached + max(128, reached / 2)))) }
    var input = SequenceInput(tokens, startingAt: cache.lengths)
    // What is read first is whole prompts: a prefix model's see themselves in both directions; what follows is causal.
    if cache.lengths.allSatisfy({ $0 == 0 }) { input.promptLengths = tokens.map(\.count) }
    let pass = Pass(cache: cache)
    let hidden: Tensor
    if let model = model as? any SequenceToSequenceModel, let source {
      hidden = model.decode(input, over: source, pass)
    } else {
      hidden = model.hiddenStates(input, pass)
    }
    cache.advance(by: tokens.map(\.count))
    let logits = model.head(gatherRows(hidden, Tensor(input.spans.map { Int32($0.range.upperBound - 1) })), pass)
    guard allowsInvalidLogits || logits.firstNonFiniteIndex == nil else {
      throw GenerationError(.nonFinite, "\(model.modelType): the model's logits are not finite; check its weights")
    }
    return logits
  }

  /// Goes on with the given sequences, in the given order; one may be there several times.
  func select(_ sequences: [Int]) {
    if sequences != Array(cache.lengths.indices) { cache.select(sequences) }
  }

  /// Forgets all but the first `count` tokens of every sequence.
  func truncate(to count: Int) { cache.truncate(to: count) }
}

extension Tensor {
  /// Hands a row over for reading.
  func withRow<R>(_ row: Int, _ body: (UnsafeBufferPointer<Float>) -> R) -> R {
    withUnsafeBytes { bytes in
      body(UnsafeBufferPointer(rebasing: bytes.bindMemory(to: Float.self)[row * shape.columns..<(row + 1) * shape.columns]))
    }
  }
}
