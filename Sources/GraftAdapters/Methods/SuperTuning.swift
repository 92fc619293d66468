import GraftConfiguration
import GraftLayers
import GraftTensors

/// The largest elements of every weight are trained, or the smallest, perhaps beside low-rank factors: `y = (W + S) x + s B A x + b`.
///
/// "Super-Tuning" (arXiv:2607.09287), and with factors "Supra": `sparsity` is the share of the weight's elements that stay frozen.
public struct SuperTuning: TargetedMethod {
  public static let name = "SUPERTUNING"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "Super-Tuning", formula: "`(W + S) x + b`, `S` zero but where `W` is largest, and `s B A x` where `r` is given",
    parameters: "`(1 - sparsity) in out + r (in + out)` a target", seam: "linear layers", source: "arXiv:2607.09287")

  public var targetModules: ModuleSelection?
  public var modulesToSave: [String]?
  package var sparsity = 0.99
  /// True for the largest elements, false for the smallest.
  package var selectTop = true
  /// The rank of factors beside; nil for none.
  package var r: Int?
  package var loraAlpha: Double?
  package var loraDropout = 0.0
  package var initWeights = true
  /// True where the file keeps the places, false where they are found again in the weight.
  package var savePrecomputedIndices = true

  public init() {}

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    guard (0..<1).contains(sparsity) else { throw TuningError("sparsity: is \(sparsity); it must be at least 0 and below 1") }
    guard (0..<1).contains(loraDropout) else { throw TuningError("lora_dropout: is \(loraDropout); it must be at least 0 and below 1") }
    guard (r == nil) == (loraAlpha == nil) else { throw TuningError("r: goes with lora_alpha; give both or neither") }
    guard r ?? 1 > 0 else { throw TuningError("r: is \(r ?? 0); a rank is at least 1") }
    for layer in try targets.linears(in: sites, for: attachment) {
      let size = layer.inputSize * layer.outputSize
      let count = Int(Double(size) * (1 - sparsity))
      guard count > 0 else { throw TuningError("sparsity: is \(sparsity), which leaves nothing of the \(size) elements of \(layer.path)") }
      let scope = attachment.scope / layer.path
      let values = try scope.parameter("supertuning_values", [count], initWeights ? .zeros : .normal(standardDeviation: 1))
      let factors = try r.map { try lowRank(of: layer, rank: $0, in: scope) }
      let key = (scope / "supertuning_indices").path
      let places = try attachment.numbers(key, [count], below: [size], isStored: savePrecomputedIndices) { chosen(of: layer, count: count) }
      let sparse = SparseAdapter(values, SparseSpread(places: places), of: layer)
      try attachment.fill(layer, with: SparseAndLowRank(sparse, factors))
    }
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  /// The places of the largest elements, or of the smallest, in their order.
  private func chosen(of layer: Linear, count: Int) -> [Int] {
    let sizes = layer.matrix.values.map(abs)
    let precedes: (Float, Float) -> Bool = selectTop ? (>) : (<)
    let last = sizes.sorted(by: precedes)[count - 1]
    return Array(sizes.indices.filter { !precedes(last, sizes[$0]) }.sorted { precedes(sizes[$0], sizes[$1]) }.prefix(count))
  }

  private func lowRank(of layer: Linear, rank: Int, in scope: Scope) throws -> LowRankFactors {
    LowRankFactors(
      a: try (scope / "supertuning_lora_A").parameter("weight", [rank, layer.inputSize], .uniform(bound: 1 / Float(layer.inputSize).squareRoot())),
      b: try (scope / "supertuning_lora_B").parameter(
        "weight", [layer.outputSize, rank], initWeights ? .zeros : .uniform(bound: 1 / Float(rank).squareRoot())),
      bias: nil, scale: Float((loraAlpha ?? 0) / Double(rank)), dropout: Float(loraDropout))
  }
}

/// Single elements and perhaps two factors beside a linear layer.
private final class SparseAndLowRank: LinearAdapter {
  let sparse: SparseAdapter
  let factors: LowRankFactors?

  init(_ sparse: SparseAdapter, _ factors: LowRankFactors?) { (self.sparse, self.factors) = (sparse, factors) }

  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor {
    let y = sparse(x, through: base, pass)
    return factors?(x, pass, addingTo: y) ?? y
  }

  func merge(into base: Linear) throws(TuningError) {
    try base.merge { weight in
      let sum = weight + sparse.change(of: weight)
      return factors?.added(to: sum) ?? sum
    }
  }
}
