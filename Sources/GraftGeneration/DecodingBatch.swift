import GraftBatching
import GraftLayers
import GraftTensors

/// Sequences that a model decodes side by side: each step reads the new tokens of all, and returns the logits of what follows.
final class DecodingBatch {
  private let decoder: Decoder
  private let source: EncoderStates?
  private let state: SequenceState
  private let longest: Int
  private let allowsInvalidLogits: Bool

  /// - Parameters:
  ///   - prompts: one a sequence; the encoder of an encoder-decoder reads them at once.
  ///   - longest: the most tokens that a sequence will have, where that is known: no more room is made.
  ///   - allowsInvalidLogits: true where logits that are not finite are no error.
  init(_ decoder: Decoder, _ prompts: [[Int32]], longest: Int = .max, allowsInvalidLogits: Bool = false) {
    self.decoder = decoder
    self.longest = longest
    self.allowsInvalidLogits = allowsInvalidLogits
    source = decoder.encode(prompts)
    state = decoder.model.makeState(sequences: prompts.count)
  }

  /// Reads the new tokens of every sequence, at least one each.
  ///
  /// - Returns: the logits of what follows, `[sequences, vocabulary]`.
  /// - Throws: `GenerationError` where they are not finite.
  func logits(after tokens: [[Int32]]) throws(GenerationError) -> Tensor {
    let length = zip(state.lengths, tokens).map { $0 + $1.count }.max() ?? 0
    if length > state.expectedLength { state.reserve(max(length, min(longest, length + max(128, length / 2)))) }
    var input = SequenceInput(tokens, startingAt: state.lengths)
    // What is read first is whole prompts: a prefix model's see themselves in both directions; what follows is causal.
    if state.lengths.allSatisfy({ $0 == 0 }) { input.promptLengths = tokens.map(\.count) }
    let pass = Pass(state: state)
    let hidden = decoder.hiddenStates(input, over: source, pass)
    state.advance(by: tokens.map(\.count))
    let last = input.spans.map { Int32($0.range.upperBound - 1) }
    let logits = decoder.model.head.logits(last.count == hidden.shape[0] ? hidden : gatherRows(hidden, Tensor(last)), pass)
    guard allowsInvalidLogits || logits.firstNonFiniteIndex == nil else {
      throw GenerationError(.nonFinite, "\(decoder.model.modelType): the model's logits are not finite; check its weights")
    }
    return logits
  }

  /// Goes on with the given sequences, in the given order; one may be there several times.
  func select(_ sequences: [Int]) {
    if sequences != Array(state.lengths.indices) { state.select(sequences) }
  }

  /// Forgets all but the first `count` tokens of every sequence.
  ///
  /// - Returns: false where the model cannot go back so far: nothing is read then, and sequences begin again.
  func truncate(to count: Int) -> Bool { state.truncate(to: count) }
}

extension Tensor {
  /// Hands a row over for reading.
  func withRow<R>(_ row: Int, _ body: (UnsafeBufferPointer<Float>) -> R) -> R {
    withUnsafeBytes { bytes in
      body(UnsafeBufferPointer(rebasing: bytes.bindMemory(to: Float.self)[row * shape.columns..<(row + 1) * shape.columns]))
    }
  }
}
