import GraftBatching
import GraftTensors

/// The input of a model's first block: the embedded tokens, and before every sequence the virtual ones of prompt tuning.
public struct EmbeddedInput {
  /// `[rows, width]`.
  public var rows: Tensor
  /// The input with places for the virtual tokens: spans, positions and lengths are shifted by them.
  public let input: SequenceInput
  /// The rows of the given tokens; nil where there are no others.
  private let tokenRows: [Int32]?

  init(rows: Tensor, input: SequenceInput, tokenRows: [Int32]? = nil) {
    (self.rows, self.input, self.tokenRows) = (rows, input, tokenRows)
  }

  /// The given tokens' rows of what was computed from all.
  /// - Returns: `[tokens, ...]`.
  public func tokens(of x: Tensor) -> Tensor { tokenRows.map { gatherRows(x, Tensor($0)) } ?? x }
}

extension Embedding {
  /// The embedded tokens with the prompt, if there is one, before every sequence that begins with this pass.
  ///
  /// A decoder starts with this, lays its attention out from the result's `input`, and returns the result's `tokens(of:)`.
  /// - Parameter scale: multiplied into the tokens' vectors, but not into the prompt's.
  public func embedded(_ input: SequenceInput, _ pass: Pass, scale: Float = 1) -> EmbeddedInput {
    let rows = scale == 1 ? self(Tensor(input.tokens), pass) : scale * self(Tensor(input.tokens), pass)
    pass.read.begin(input)
    guard let prompt, prompt.virtualTokenCount > 0 else { return EmbeddedInput(rows: rows, input: input) }
    let count = prompt.virtualTokenCount
    pass.state?.reserve(leadingRows: count)
    var shifted = input
    if prompt.movesTokens { shifted.positions = input.positions.map { $0 + Int32(count) } }
    let begins = input.spans.indices.map { (pass.state?.lengths[$0] ?? 0) == 0 }
    shifted.promptLengths = input.promptLengths.map { lengths in zip(lengths, begins).map { $1 ? $0 + count : $0 } }
    guard begins.contains(true), let embeddings = prompt.embeddings(pass) else { return EmbeddedInput(rows: rows, input: shifted) }

    let starts = zip(input.spans, begins).compactMap { span, begins in begins ? span.start : nil }
    shifted.insertVirtualTokens(count, before: starts)
    pass.read.begin(shifted)
    let virtual = Set(starts.enumerated().flatMap { index, start in (0..<count).map { start + index * count + $0 } })
    return EmbeddedInput(
      rows: insertRows(embeddings, before: starts, in: rows), input: shifted,
      tokenRows: shifted.tokens.indices.filter { !virtual.contains($0) }.map(Int32.init))
  }
}

extension SequenceInput {
  /// Makes room for `count` rows, at positions from 0 on, before each of the given rows, where spans start.
  fileprivate mutating func insertVirtualTokens(_ count: Int, before starts: [Int]) {
    for start in starts.reversed() {
      tokens.insert(contentsOf: repeatElement(0, count: count), at: start)
      positions.insert(contentsOf: 0..<Int32(count), at: start)
      typeIDs?.insert(contentsOf: repeatElement(0, count: count), at: start)
    }
    for span in spans.indices {
      let before = starts.count { $0 < spans[span].start }
      if starts.contains(spans[span].start) { spans[span].count += count }
      spans[span].start += before * count
    }
  }
}

extension SiteCatalog {
  /// The number of virtual tokens among the positions of the model's input: the only one, or an encoder's.
  public var virtualTokenCount: Int { sites.compactMap(\.embedding?.prompt).filter(\.movesTokens).map(\.virtualTokenCount).max() ?? 0 }

  /// The same of the target's positions in a decoder that reads an encoder's states.
  public var targetVirtualTokenCount: Int {
    sites.compactMap(\.attention).filter { $0.place == .decoder }.compactMap(\.prefix?.virtualTokenCount).max() ?? 0
  }
}
