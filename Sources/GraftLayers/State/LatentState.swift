import GraftTensors

/// The cache of latent attention: per token a compressed row that keys and values are made of again, and a rotary key that all
/// heads share (DeepSeek-AI 2024, "DeepSeek-V2", section 2.1.2).
public final class LatentState: LayerState {
  private var rows: TokenRows

  /// The rows of all sequences, with each sequence's place in them.
  public typealias Held = (latents: Tensor, rotaryKeys: Tensor, rows: [KeyRows])

  /// The cache of as many sequences, without a token.
  /// - Parameter format: the floating-point format that rows are kept in.
  public init(sequences: Int, format: ElementFormat = .float32) { rows = TokenRows(sequences: sequences, format: format) }

  public var byteCount: Int { rows.byteCount }

  /// Appends the new rows of every sequence, and returns all rows with each sequence's place in them.
  ///
  /// - Parameters:
  ///   - latents: `[rows, latentSize]`.
  ///   - rotaryKeys: `[rows, rotarySize]`, rotated.
  ///   - spans: the rows of each sequence.
  public func append(latents: Tensor, rotaryKeys: Tensor, spans: [Range<Int>], of state: SequenceState) -> Held {
    let starts = state.rowCounts
    precondition(spans.count == starts.count, "\(spans.count) spans for \(starts.count) sequences")
    let holds = rows.truncate(to: starts)
    precondition(holds, "a pass over tokens that are not held")
    rows.append([latents, rotaryKeys], spans, expecting: state.leadingRows + state.expectedLength)
    return (rows.buffers[0], rows.buffers[1], spans.indices.map(rows.keys))
  }

  public func select(_ sequences: [Int]) { rows.select(sequences) }

  public func truncate(to counts: [Int]) -> Bool { rows.truncate(to: counts) }
}
