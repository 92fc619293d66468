import GraftTensors

/// The tensors that a layer computes once for all later ones of the same pass, such as the first layer's values in RWKV-7.
///
/// Under recomputation they are outputs of the block that shares them and inputs of those behind it, so that gradients reach them.
public final class SharedTensors {
  private(set) var entries: [(name: String, value: Tensor)] = []

  init() {}

  /// The same names with the values that they have in another run.
  init(_ names: [String], _ values: ArraySlice<Tensor>) { entries = Array(zip(names, values)) }

  /// The tensor that an earlier layer has shared under a name; nil where none has.
  public subscript(name: String) -> Tensor? { entries.first { $0.name == name }?.value }

  /// Shares a tensor with the layers behind this one.
  public func share(_ value: Tensor, as name: String) {
    precondition(self[name] == nil, "\(name) is shared twice")
    entries.append((name, value))
  }
}
