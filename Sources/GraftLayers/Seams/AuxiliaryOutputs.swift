import GraftTensors

/// The tensors that layers leave beside their hidden states in one pass, and the losses that are added to the training loss.
///
/// A mixture of experts leaves its router's logits here, of which its model makes one balancing loss over all layers
/// (Fedus et al. 2022, eq. 4 to 6). Under recomputation they are outputs of the recomputed block, so that gradients reach them.
public final class AuxiliaryOutputs {
  /// A tensor under the name that its reader asks for, or a loss under its own.
  struct Entry {
    let name: String
    let value: Tensor
    let isLoss: Bool
  }

  private(set) var entries: [Entry] = []

  /// A collector without entries.
  public init() {}

  /// Leaves a layer's tensor for whoever asks for its name after the last layer.
  public func leave(_ value: Tensor, as name: String) { entries.append(Entry(name: name, value: value, isLoss: false)) }

  /// Returns what layers have left under a name, in their order, and forgets it.
  public func take(_ name: String) -> [Tensor] {
    let values = entries.filter { !$0.isLoss && $0.name == name }.map(\.value)
    entries.removeAll { !$0.isLoss && $0.name == name }
    return values
  }

  /// Adds a loss to the training loss: a scalar, already times its coefficient, that is a mean over the pass's tokens.
  public func add(loss: Tensor, as name: String) { entries.append(Entry(name: name, value: loss, isLoss: true)) }

  /// The losses of the pass, in the order in which they were added.
  public var losses: [(name: String, value: Tensor)] { entries.filter(\.isLoss).map { ($0.name, $0.value) } }

  /// The sum of all losses; nil where there are none.
  public var totalLoss: Tensor? {
    let values = losses.map(\.value)
    return values.dropFirst().reduce(values.first) { sum, loss in sum.map { $0 + loss } }
  }

  /// Adds the entries of another run's collector with the values that they have here.
  func adopt(_ entries: [Entry], values: ArraySlice<Tensor>) {
    for (entry, value) in zip(entries, values) { self.entries.append(Entry(name: entry.name, value: value, isLoss: entry.isLoss)) }
  }
}
