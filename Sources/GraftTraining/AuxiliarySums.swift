import GraftLayers

/// The mean of a loss that layers add to the training loss, without its coefficient, or of another figure beside the loss.
public struct AuxiliaryLoss: Sendable, Equatable {
  /// The key that logs have for it, such as `aux_loss`.
  public var name: String
  /// The mean.
  public var value: Double

  /// A mean under the key of a loss.
  public init(_ name: String, _ value: Double) {
    self.name = name
    self.value = value
  }
}

/// The losses that layers add to the training loss and the figures beside it, each times the weight of its micro-batch, and the loads of
/// experts, summed.
struct AuxiliarySums {
  private(set) var losses: [AuxiliaryLoss] = []
  private(set) var loads: [ExpertLoad] = []

  /// Adds those of one micro-batch.
  mutating func add(_ outputs: AuxiliaryOutputs, weight: Double) {
    losses.add(outputs.losses.map { AuxiliaryLoss($0.name, weight * Double($0.value.scalar)) })
    losses.add(outputs.figures.map { AuxiliaryLoss($0.name, weight * $0.value) })
    loads.add(outputs.loads)
  }

  /// Sums over processes. One without a micro-batch knows no names and takes part with zeros.
  mutating func sum(over communicator: any Communicator) throws {
    guard communicator.size > 1 else { return }
    var values = losses.map(\.value) + loads.flatMap { $0.rows.map(Double.init) }
    var counts = [Double(values.count), values.isEmpty ? 0 : 1]
    try communicator.sum(&counts)
    guard counts[1] > 0 else { return }
    let isEmpty = values.isEmpty
    if isEmpty { values = Array(repeating: 0, count: Int(counts[0] / counts[1])) }
    try communicator.sum(&values)
    guard !isEmpty else { return }
    var rest = values[...]
    for index in losses.indices { losses[index].value = rest.removeFirst() }
    for layer in loads.indices {
      for expert in loads[layer].rows.indices { loads[layer].rows[expert] = Int(rest.removeFirst()) }
    }
  }
}

extension [AuxiliaryLoss] {
  /// Adds the values of other losses, name by name; a name that is new here comes last.
  mutating func add(_ others: [AuxiliaryLoss]) {
    for other in others {
      if let index = firstIndex(where: { $0.name == other.name }) { self[index].value += other.value } else { append(other) }
    }
  }
}
