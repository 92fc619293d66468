import GraftBatching
import GraftTensors

/// Where the rows of a forward pass stand: computed once, read by every layer.
public struct SequenceLayout {
  public var spans: [AttentionSpan]
  /// One a row.
  public var positions: [Int32]
  public var mask: AttentionMask.Kind
  public var rotary: RotaryTable?
  /// Added to every layer's scores by distance (T5).
  public var bias: DistanceBias?

  public init(
    spans: [AttentionSpan], positions: [Int32], mask: AttentionMask.Kind, rotary: RotaryTable? = nil, bias: DistanceBias? = nil
  ) {
    (self.spans, self.positions, self.mask, self.rotary, self.bias) = (spans, positions, mask, rotary, bias)
  }
}

/// What an encoder made of its input, for a decoder's cross-attention or a classifier.
public struct EncoderStates {
  /// `[rows, hidden]`, those of virtual tokens included.
  public var states: Tensor
  private let embedded: EmbeddedInput

  public init(_ states: Tensor, of embedded: EmbeddedInput) {
    (self.states, self.embedded) = (states, embedded)
  }

  /// The rows of each document.
  public var spans: [Range<Int>] { embedded.input.spans.map(\.range) }

  /// `[tokens, hidden]`, without those of virtual tokens.
  public var tokenStates: Tensor { embedded.tokens(of: states) }
}

/// What attention looks like where the architecture leaves it open.
public enum AttentionStyle: String, Sendable, Hashable, CaseIterable {
  /// Every token sees those before it.
  case causal
  /// Every token sees all.
  case bidirectional
  /// The prompt's tokens see each other, all others those before them (Raffel et al. 2020, section 3.2.1).
  case prefix
}

/// The tokens of a forward pass, laid end to end.
public struct SequenceInput {
  /// `[rows]` token ids.
  public var tokens: [Int32]
  public var positions: [Int32]
  public var spans: [SequenceSpan]
  public var typeIDs: [Int32]?
  /// Tokens of each span that see each other in both directions, for prefix language models.
  public var promptLengths: [Int]?

  public init(tokens: [Int32], positions: [Int32], spans: [SequenceSpan], typeIDs: [Int32]? = nil, promptLengths: [Int]? = nil) {
    (self.tokens, self.positions, self.spans, self.typeIDs, self.promptLengths) = (tokens, positions, spans, typeIDs, promptLengths)
  }

  public init(_ batch: Batch) {
    self.init(
      tokens: batch.tokens, positions: batch.positions, spans: batch.spans, typeIDs: batch.typeIDs, promptLengths: batch.promptLengths)
  }

  /// Sequences end to end, each from position `start` on.
  public init(_ sequences: [[Int32]], startingAt starts: [Int]? = nil) {
    var spans: [SequenceSpan] = []
    var positions: [Int32] = []
    var at = 0
    for (index, sequence) in sequences.enumerated() {
      let start = starts?[index] ?? 0
      spans.append(SequenceSpan(start: at, count: sequence.count))
      positions += sequence.indices.map { Int32(start + $0) }
      at += sequence.count
    }
    self.init(tokens: sequences.flatMap { $0 }, positions: positions, spans: spans)
  }

  /// The layout for a decoder of the given style.
  public func layout(_ style: AttentionStyle, rotary: RotaryFrequencies?) -> SequenceLayout {
    let mask: AttentionMask.Kind =
      switch style {
      case .causal: .causal
      case .bidirectional: .bidirectional
      case .prefix: .prefix(lengths: promptLengths ?? spans.map { _ in 0 })
      }
    return SequenceLayout(
      spans: spans.map { AttentionSpan($0.range) }, positions: positions, mask: mask,
      rotary: rotary?.table(positions: positions, sequences: spans.map(\.range)))
  }
}
