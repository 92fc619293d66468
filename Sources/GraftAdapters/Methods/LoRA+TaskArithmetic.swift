import GraftConfiguration
import GraftLayers
import GraftTensors

/// The ways to elect the sign that counts where adapters disagree, as PEFT names them.
public enum MajoritySign: String, ConfigChoice {
  /// The sign of the sum of the values.
  case total
  /// The sign that most have.
  case frequency
}

/// The settings of PEFT's `add_weighted_adapter`.
public struct LoRACombinationSettings: Sendable, Hashable {
  /// The result's rank, for the kinds that end with `svd`; the largest of the given ones where nil.
  public var rank: Int?
  /// The part of each adapter's values that is kept, above 0.
  public var density: Double?
  /// The way to elect signs.
  public var majoritySign: MajoritySign
  /// The seed of PyTorch's generator, from which DARE draws.
  public var seed: UInt64

  /// The settings, with PEFT's defaults.
  public init(rank: Int? = nil, density: Double? = nil, majoritySign: MajoritySign = .total, seed: UInt64 = 0) {
    (self.rank, self.density, self.majoritySign, self.seed) = (rank, density, majoritySign, seed)
  }

  /// - Throws: `TuningError` for a density that is missing, or none.
  func merging(_ kind: LoRACombination) throws(TuningError) -> TaskArithmetic {
    if kind.takesDensity {
      guard let density else { throw TuningError("density: \(kind.rawValue) needs the part of the values to keep, such as 0.5") }
      guard density > 0 else { throw TuningError("density: is \(density); it must be above 0, for 1 keeps every value") }
    }
    return TaskArithmetic(
      pruning: kind.takesDensity ? kind.draws ? .random : .magnitude : .none, density: density ?? 1,
      majoritySign: kind.electsSigns ? majoritySign : nil, generator: TorchGenerator(seed: seed))
  }
}

/// One tensor of several, of which each is pruned and weighted, and the signs are elected.
///
/// Ilharco et al. 2023, "Editing Models with Task Arithmetic"; Yadav et al. 2023, "TIES-Merging", section 3; Yu et al. 2023, "DARE".
struct TaskArithmetic {
  enum Pruning { case none, magnitude, random }

  let pruning: Pruning
  let density: Double
  /// Nil where all signs count.
  let majoritySign: MajoritySign?
  var generator: TorchGenerator

  /// The merged tensor; random pruning draws a number for each value of each tensor in turn.
  mutating func merged(_ tensors: [Tensor], weights: [Float]) -> Tensor {
    let parts = tensors.map { pruned($0.values) }
    var result = [Float](repeating: 0, count: parts[0].count)
    for index in result.indices {
      let elected = majoritySign.map { sign(of: parts.map { $0[index] }, by: $0) }
      let counted = parts.indices.filter { part in elected.map { Self.sign(parts[part][index]) == $0 } ?? true }
      let sum = counted.reduce(Float(0)) { $0 + weights[$1] * parts[$1][index] }
      result[index] = elected == nil ? sum : sum / Float(max(counted.count, 1))
    }
    return Tensor(result, tensors[0].shape)
  }

  private static func sign(_ value: Float) -> Float { value > 0 ? 1 : value < 0 ? -1 : 0 }

  /// A tie counts as positive.
  private func sign(of values: [Float], by method: MajoritySign) -> Float {
    values.reduce(0) { $0 + (method == .total ? $1 : Self.sign($1)) } >= 0 ? 1 : -1
  }

  private mutating func pruned(_ values: [Float]) -> [Float] {
    guard density < 1 else { return values }
    switch pruning {
    case .none: return values
    case .magnitude:
      let order = values.indices.sorted { abs(values[$0]) > abs(values[$1]) }
      var kept = [Float](repeating: 0, count: values.count)
      for index in order.prefix(Int(density * Double(values.count))) { kept[index] = values[index] }
      return kept
    case .random:
      let part = Float(density)
      return zip(values, generator.uniform(values.count)).map { $1 < part ? $0 / part : 0 }
    }
  }
}
