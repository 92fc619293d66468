/// The length that each sequence had behind its first pass, which rotary positions that grow by it go on with
/// (`RotaryFrequencies.Scaling.doubling`): the keys that are kept are rotated by it.
final class FirstLengths: LayerState {
  /// 0 for a sequence of which nothing has been read.
  private var lengths: [Int]

  init(sequences: Int) { lengths = Array(repeating: 0, count: sequences) }

  let byteCount = 0

  func select(_ sequences: [Int]) { lengths = sequences.map { lengths[$0] } }

  func truncate(to counts: [Int]) -> Bool {
    lengths = zip(lengths, counts).map { $1 == 0 ? 0 : $0 }
    return true
  }

  /// Returns the lengths, taking those of sequences that begin from `current`.
  func begin(with current: [Int]) -> [Int] {
    lengths = zip(lengths, current).map { $0 == 0 ? $1 : $0 }
    return lengths
  }
}

extension SequenceState {
  /// The length that each sequence had behind its first pass.
  /// - Parameter current: the lengths behind the next rows.
  func firstLengths(_ current: [Int]) -> [Int] {
    let state = layer("first lengths") { FirstLengths(sequences: lengths.count) }
    _ = state.truncate(to: rowCounts)
    return state.begin(with: current)
  }
}
