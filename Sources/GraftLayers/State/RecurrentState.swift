import GraftTensors

/// The state of a recurrence: tensors of one size for every sequence, however long it is, that cannot be taken back.
public final class RecurrentState: LayerState {
  /// `[sequences, size]` each.
  public private(set) var tensors: [Tensor]
  /// The values before a sequence's first token, `[1, size]` each.
  private let initial: [Tensor]
  private var counts: [Int]

  /// - Parameter initial: the values before a sequence's first token, `[size]` each.
  public init(sequences: Int, initial: [Tensor]) {
    self.initial = initial.map { $0.reshaped(to: [1, $0.elementCount]) }
    tensors = self.initial.map { gatherRows($0, Tensor([Int32](repeating: 0, count: sequences))) }
    counts = Array(repeating: 0, count: sequences)
  }

  public var byteCount: Int { tensors.reduce(0) { $0 + $1.byteCount } }

  /// Puts the values after so many more rows of each sequence in place of those before.
  /// - Parameter tensors: `[sequences, size]` each.
  public func update(_ tensors: [Tensor], after rows: [Int]) {
    precondition(zip(tensors, self.tensors).allSatisfy { $0.shape == $1.shape }, "\(tensors.map(\.shape)) for \(self.tensors.map(\.shape))")
    self.tensors = tensors
    counts = zip(counts, rows).map { $0 + $1 }
  }

  public func select(_ sequences: [Int]) {
    guard sequences != Array(counts.indices) else { return }
    tensors = tensors.map { gatherRows($0, Tensor(sequences.map(Int32.init))) }
    counts = sequences.map { counts[$0] }
  }

  public func truncate(to kept: [Int]) -> Bool {
    guard zip(kept, counts).allSatisfy({ $0 == 0 || $0 >= $1 }) else { return false }
    guard kept.contains(0), kept != counts else { return true }
    tensors = zip(tensors, initial).map { tensor, start in
      concatenateRows(kept.indices.map { kept[$0] == 0 ? start : tensor.rows($0..<$0 + 1) })
    }
    counts = zip(kept, counts).map { $0 == 0 ? 0 : $1 }
    return true
  }
}

extension SequenceState {
  /// The state of the recurrence at a path before the next rows of every sequence: of one that begins with them, the initial one.
  /// - Parameter initial: the values before a sequence's first token, `[size]` each.
  func recurrence(_ path: String, _ initial: @autoclosure () -> [Tensor]) -> RecurrentState {
    let state = layer(path) { RecurrentState(sequences: lengths.count, initial: initial()) }
    let holds = state.truncate(to: rowCounts)
    precondition(holds, "a pass over tokens that \(path) has gone past")
    return state
  }
}
