import GraftTensors

/// The tensors that layers leave beside their hidden states in one pass, the losses that are added to the training loss, and the loads of experts.
///
/// A mixture of experts leaves its router's logits here, of which its model makes one balancing loss over all layers
/// (Fedus et al. 2022, eq. 4 to 6). Under recomputation they are outputs of the recomputed block, so that gradients reach them.
public final class AuxiliaryOutputs {
  /// A tensor under the name that its reader asks for, or a loss under its own.
  struct Entry {
    let name: String
    let value: Tensor
    /// The factor of a loss in the training loss; nil for a tensor that is none.
    let factor: Float?
  }

  private(set) var entries: [Entry] = []
  /// The rows of the pass that experts were sent, layer by layer.
  public private(set) var loads: [ExpertLoad] = []
  /// The figures of the pass, under the keys that the log of a run has for them: means over the terms of its loss.
  public private(set) var figures: [(name: String, value: Double)] = []

  /// A collector without entries.
  public init() {}

  /// Leaves a layer's tensor for whoever asks for its name after the last layer.
  public func leave(_ value: Tensor, as name: String) { entries.append(Entry(name: name, value: value, factor: nil)) }

  /// Leaves the rows that a layer's experts were sent.
  public func leave(_ load: ExpertLoad) { loads.append(load) }

  /// Returns what layers have left under a name, in their order, and forgets it.
  public func take(_ name: String) -> [Tensor] {
    let values = entries.filter { $0.factor == nil && $0.name == name }.map(\.value)
    entries.removeAll { $0.factor == nil && $0.name == name }
    return values
  }

  /// Leaves a figure for the log, which is no loss.
  ///
  /// - Parameter value: a mean over the terms of the pass's loss.
  public func note(_ value: Double, as name: String) { figures.append((name, value)) }

  /// Adds a loss to the training loss.
  ///
  /// - Parameters:
  ///   - loss: a scalar that is a mean over the pass's tokens, without its coefficient.
  ///   - factor: the coefficient.
  ///   - name: the key that the log of a run has for it.
  public func add(loss: Tensor, times factor: Float = 1, as name: String) {
    entries.append(Entry(name: name, value: loss, factor: factor))
  }

  /// The losses of the pass without their coefficients, in the order in which they were added.
  public var losses: [(name: String, value: Tensor)] { entries.filter { $0.factor != nil }.map { ($0.name, $0.value) } }

  /// The sum of all losses times their coefficients; nil where there are none.
  public var totalLoss: Tensor? {
    let values = entries.compactMap { entry in entry.factor.map { $0 == 1 ? entry.value : $0 * entry.value } }
    return values.dropFirst().reduce(values.first) { sum, loss in sum.map { $0 + loss } }
  }

  /// Adds the entries of another run's collector with the values that they have here, and its loads.
  func adopt(_ other: AuxiliaryOutputs, values: ArraySlice<Tensor>) {
    for (entry, value) in zip(other.entries, values) { entries.append(Entry(name: entry.name, value: value, factor: entry.factor)) }
    loads += other.loads
  }
}
