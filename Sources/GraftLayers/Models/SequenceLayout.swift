import GraftBatching
import GraftTensors

/// The layout of a forward pass: documents, positions and what attention adds, computed once and read by every layer.
public struct SequenceLayout {
  /// The documents: the rows of each, and the keys that they see.
  public var spans: [AttentionSpan]
  /// One a row.
  public var positions: [Int32]
  /// The keys that a query sees among those of its document.
  public var mask: AttentionMask
  /// The rotary tables of the stack, which layers choose among by index (Gemma 3 has one for its windows and one for all).
  public var rotary: [RotaryTable]
  /// Added to every layer's scores by distance (T5, BLOOM).
  public var bias: DistanceBias?
  /// The encoder's states that cross-attention reads.
  public var source: EncoderStates?

  /// - Parameters:
  ///   - spans: the documents.
  ///   - positions: the position of every row.
  public init(
    spans: [AttentionSpan], positions: [Int32], mask: AttentionMask, rotary: [RotaryTable] = [], bias: DistanceBias? = nil,
    source: EncoderStates? = nil
  ) {
    self.spans = spans
    self.positions = positions
    self.mask = mask
    self.rotary = rotary
    self.bias = bias
    self.source = source
  }

  /// The tensors of the layout that a gradient may go to.
  var tensors: [Tensor] { [bias?.values, source?.states].compactMap { $0 } }

  /// Returns the layout with others in the place of `tensors`.
  func replacing(_ tensors: ArraySlice<Tensor>) -> SequenceLayout {
    var layout = self
    var rest = tensors
    if bias != nil { layout.bias = DistanceBias(rest.removeFirst()) }
    if source != nil { layout.source?.states = rest.removeFirst() }
    return layout
  }
}

/// The states that an encoder made of its input, for a decoder's cross-attention or a classifier.
public struct EncoderStates {
  /// `[rows, hidden]`, those of virtual tokens included.
  public var states: Tensor
  private let embedded: EmbeddedInput

  /// The states `[rows, hidden]` of an encoder's input.
  public init(_ states: Tensor, of embedded: EmbeddedInput) {
    (self.states, self.embedded) = (states, embedded)
  }

  /// The rows of each document.
  public var spans: [Range<Int>] { embedded.input.spans.map(\.range) }

  /// `[tokens, hidden]`, without those of virtual tokens.
  public var tokenStates: Tensor { embedded.tokens(of: states) }
}

/// The tokens that see each other, where the architecture leaves it open.
public enum AttentionStyle: String, Sendable, Hashable, CaseIterable {
  /// Every token sees those before it.
  case causal
  /// Every token sees all.
  case bidirectional
  /// The prompt's tokens see each other, all others those before them (Raffel et al. 2020, section 3.2.1).
  case prefix
}

extension SequenceInput {
  /// Returns the layout of a stack of the given style.
  /// - Parameters:
  ///   - rotary: the angles of rotary positions, one for each table that layers choose among.
  ///   - pass: the context of the pass.
  ///   - source: the encoder's states that cross-attention reads, one document for each of the input's.
  public func layout(
    _ style: AttentionStyle, rotary: [RotaryFrequencies] = [], over source: EncoderStates? = nil, _ pass: Pass = .inference
  ) -> SequenceLayout {
    let mask: AttentionMask =
      switch style {
      case .causal: .causal
      case .bidirectional: .bidirectional
      case .prefix: .prefix(lengths: promptLengths ?? spans.map { _ in 0 })
      }
    return SequenceLayout(
      spans: spans.map { AttentionSpan($0.range) }, positions: positions, mask: mask,
      rotary: rotary.map { $0.table(positions: positions, sequences: spans.map(\.range), pass) }, source: source)
  }
}
