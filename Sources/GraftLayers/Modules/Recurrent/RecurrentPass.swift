import GraftTensors

/// A recurrent sublayer's way through the rows of one pass: its sequences, the states that they go on from, and those that they leave.
///
/// A sublayer keeps two things of a sequence: the rows that its convolution or shift still sees, and, where it has one, the state of its
/// recurrence.
struct RecurrentPass {
  /// The sequences of the pass.
  let rows: SequenceRows
  /// The rows that are still seen, `[sequences, rows * columns]`; nil where sequences begin with the pass and nothing is kept.
  let earlier: Tensor?
  /// The states before the first rows, `[sequences, size]`; nil where they are the base's own starts.
  let start: Tensor?
  private let kept: RecurrentState?

  /// - Parameters:
  ///   - seen: the number of elements of the rows that are still seen.
  ///   - recurrence: that of the sublayer; nil where it keeps earlier rows alone.
  init(
    _ path: String, over x: Tensor, _ layout: SequenceLayout, _ pass: Pass, keeping seen: Int, _ recurrence: Recurrence?
  ) {
    rows = SequenceRows(layout.spans.map(\.queries), of: x.shape.rows)
    kept = pass.state.map { $0.recurrence(path, [.zeros([seen])] + (recurrence.map { [$0.start(pass)] } ?? [])) }
    earlier = kept?.tensors[0]
    start = recurrence.flatMap { [kept, rows] in kept?.tensors[1] ?? $0.starts(rows.spans.count, pass) }
  }

  /// Keeps what the next pass goes on from; nothing where nothing is kept.
  /// - Parameters:
  ///   - seen: the rows that are still seen behind the last ones.
  ///   - state: the states behind them.
  func leave(_ seen: Tensor?, _ state: Tensor? = nil) {
    guard let kept else { return }
    let tensors = [seen, state].compactMap { $0 }
    kept.update(tensors, after: rows.spans.map(\.count))
  }

  /// Keeps the last row of each sequence and the states behind it.
  func leaveLastRow(of x: Tensor, _ state: Tensor? = nil) {
    if let earlier { leave(lastRows(x, rows, from: earlier), state) }
  }
}
