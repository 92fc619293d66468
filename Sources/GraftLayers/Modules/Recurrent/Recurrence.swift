import Foundation
import GraftTensors

/// The state that a recurrent layer carries from token to token, as a place where a method may adapt the model: the state that every
/// sequence begins with is a slot, empty in the base, where it is zero.
public final class Recurrence {
  /// The layer's path, such as `backbone.layers.0.mixer`.
  public let path: String
  /// The number of values that a start is made of.
  public let startSize: Int
  /// The start of every sequence; nil for the base's own.
  public var adapter: (any StartAdapter)?
  /// Makes the state of a start, `[size]`, of the values that it is made of, `[startSize]`.
  private let state: (Tensor) -> Tensor
  /// Makes the values of a start of a state.
  private let values: (Tensor) -> Tensor
  /// Makes the base's own start, `[1, size]`.
  private let base: () -> Tensor

  /// The recurrence of the layer at the path of `scope`.
  /// - Parameter stateSize: the number of values of a state, which are those of a start too, all of them zero in the base.
  public convenience init(_ scope: Scope, stateSize: Int) {
    self.init(scope, startSize: stateSize, base: { .zeros([1, stateSize]) }, state: { $0 }, values: { $0 })
  }

  /// A recurrence whose state has a form of its own.
  init(
    _ scope: Scope, startSize: Int, base: @escaping () -> Tensor, state: @escaping (_ start: Tensor) -> Tensor,
    values: @escaping (_ state: Tensor) -> Tensor
  ) {
    (path, self.startSize, self.base, self.state, self.values) = (scope.path, startSize, base, state, values)
    scope.catalog.add(Site(path: path, role: nil, module: .recurrence(self)))
  }

  /// The state before a sequence's first token, `[1, size]`.
  func start(_ pass: Pass) -> Tensor { adapter.map { state($0.values(pass)) } ?? base() }

  /// The states before the first tokens of sequences that all begin with a pass; nil where they are the base's.
  /// - Returns: `[sequences, size]`.
  func starts(_ sequences: Int, _ pass: Pass) -> Tensor? {
    adapter.map { gatherRows(state($0.values(pass)), Tensor([Int32](repeating: 0, count: sequences))) }
  }

  /// The values of a start with which a sequence goes on where one that was read has ended.
  /// - Parameter read: the state of the one sequence in it.
  /// - Returns: `[1, startSize]`; nil where the layer has kept nothing.
  public func values(of read: SequenceState) -> Tensor? {
    (read.layer(path) as? RecurrentState)?.tensors.last.map { values($0) }
  }
}

extension Recurrence {
  /// The state of RWKV-4's mean, which cannot begin with a sum of any sign: a start is one token that stands before every sequence, its
  /// value and its key, and the base has none.
  convenience init(_ scope: Scope, ofMeanOver channels: Int) {
    self.init(scope, startSize: 2 * channels, base: { initialWeightedKeyValue(channels: channels).reshaped(to: [1, 3 * channels]) }) { start in
      let rows = start.reshaped(to: [2, channels])
      let one = Tensor(repeating: 1, shape: [1, channels])
      return concatenateRows([rows.rows(0..<1), one, rows.rows(1..<2)]).reshaped(to: [1, 3 * channels])
    } values: { state in
      let read = state.values
      let means = (0..<channels).map { read[$0] / read[channels + $0] }
      let weights = (0..<channels).map { read[2 * channels + $0] + log(read[channels + $0]) }
      return Tensor(means + weights, [1, 2 * channels])
    }
  }
}
