import GraftTensors

/// The state of a model that reads sequences step by step: how many tokens it has read of each, and the state of
/// every layer.
public final class SequenceState {
  /// The number of tokens read of each sequence.
  public private(set) var lengths: [Int]
  /// The number of virtual tokens in front of each sequence.
  public private(set) var leadingRows = 0
  /// The number of tokens a sequence is expected to have; layers make room for so many at once.
  public private(set) var expectedLength = 0
  /// True where layers keep the tokens that have left their windows, too.
  let keepsAllRows: Bool
  private var layers: [String: any LayerState] = [:]

  /// A state before the first token; models make it (`Model.makeState`).
  public init(sequences: Int, keepsAllRows: Bool = false) {
    lengths = Array(repeating: 0, count: sequences)
    self.keepsAllRows = keepsAllRows
  }

  /// The memory that all layers take.
  public var byteCount: Int { layers.values.reduce(0) { $0 + $1.byteCount } }

  /// The format that rows of earlier tokens are kept in: that of the operands of products, which they would be rounded to anyway.
  /// A state that keeps all rows is read by others, too, and keeps them as they were computed.
  var rowFormat: ElementFormat { keepsAllRows ? .float32 : Execution.current.arithmetic.operandFormat ?? .float32 }

  /// The state of the layer at a path, made by the layer when it first reads.
  public func layer<State: LayerState>(_ path: String, _ make: () -> State) -> State {
    if let known = layers[path] as? State { return known }
    let state = make()
    layers[path] = state
    return state
  }

  /// The state of the layer at a path; nil where it has kept none.
  public func layer(_ path: String) -> (any LayerState)? { layers[path] }

  /// The number of rows that precede the next token of each sequence.
  public var rowCounts: [Int] { lengths.map(rowCount) }

  private func rowCount(_ length: Int) -> Int { length == 0 ? 0 : leadingRows + length }

  /// Makes room for virtual tokens before every sequence, once and before anything is read.
  package func reserve(leadingRows count: Int) {
    precondition(count == leadingRows || lengths.allSatisfy { $0 == 0 }, "no room for \(count) rows before sequences that have begun")
    leadingRows = count
  }

  /// Says how long sequences will be: layers then lay out each one's rows side by side.
  public func reserve(_ count: Int) { expectedLength = max(expectedLength, count) }

  /// Makes the rows that every layer has appended part of their sequences.
  public func advance(by counts: [Int]) {
    for (sequence, count) in counts.enumerated() { lengths[sequence] += count }
  }

  /// Keeps the given sequences, in the given order; one may be there several times.
  public func select(_ sequences: [Int]) {
    for state in layers.values { state.select(sequences) }
    lengths = sequences.map { lengths[$0] }
  }

  /// Forgets all but the first `count` tokens of every sequence, so that others can follow them.
  ///
  /// - Returns: false where a layer cannot go back so far, as a recurrence or a window that has moved on: the state is then
  ///   as before the first token, and sequences must be read again.
  public func truncate(to count: Int) -> Bool {
    let kept = lengths.map { min($0, count) }
    guard kept != lengths else { return true }
    let rows = kept.map(rowCount)
    if layers.values.allSatisfy({ $0.truncate(to: rows) }) {
      lengths = kept
      return true
    }
    lengths = lengths.map { _ in 0 }
    for state in layers.values { _ = state.truncate(to: lengths) }
    return false
  }
}
