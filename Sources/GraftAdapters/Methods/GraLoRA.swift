import GraftConfiguration
import GraftLayers
import GraftTensors

/// Granular low-rank adaptation: the weight in `k × k` blocks, each with factors of rank `r / k` of its own.
///
/// Jung et al. 2025, "GraLoRA: granular low-rank adaptation for parameter-efficient fine-tuning". Every stretch of the input meets its
/// `A`, the results are dealt out to the stretches of the output, and each of these meets its `B`.
public struct GraLoRA: TargetedMethod {
  public static let name = "GRALORA"
  public static let defaultLearningRate = 5e-4
  public static let card = MethodCard(
    title: "GraLoRA", formula: "`W x + b + s ΔW x`, `ΔW` of `k × k` blocks of rank `r / k`", parameters: "`(r + hybrid_r) (in + out)` a target",
    seam: "linear layers", source: "Jung et al. 2025")

  package var r = 32
  /// The rank of factors of the whole weight beside.
  package var hybridR = 0
  public var targetModules: ModuleSelection?
  package var alpha = 64.0
  package var graloraDropout = 0.0
  /// The blocks along a side.
  package var graloraK = 2
  package var bias = BiasTraining.none
  public var modulesToSave: [String]?
  package var initWeights = true
  public var layersToTransform: OneOrMany<Int>?
  public var layersPattern: OneOrMany<String>?

  public init() {}

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    guard r > 0, hybridR >= 0 else { throw TuningError("r: is \(r) and hybrid_r \(hybridR); a rank is at least 1, and hybrid_r at least 0") }
    guard graloraK > 0, r % graloraK == 0 else { throw TuningError("gralora_k: is \(graloraK), which does not divide the rank \(r)") }
    guard (0..<1).contains(graloraDropout) else { throw TuningError("gralora_dropout: is \(graloraDropout); it must be at least 0 and below 1") }
    let layers = try targets.linears(in: sites, for: attachment)
    for layer in layers {
      let (inputs, outputs) = (layer.inputSize, layer.outputSize)
      guard inputs % graloraK == 0, outputs % graloraK == 0 else {
        throw TuningError("gralora_k: is \(graloraK), which does not divide \(layer.path) [\(outputs), \(inputs)]")
      }
      let scope = attachment.scope / layer.path
      func factor(_ scope: Scope, _ name: String, _ shape: Shape, columns: Int, isZero: Bool) throws -> Parameter {
        try scope.parameter(name, shape, isZero ? .zeros : .uniform(bound: 1 / Float(columns).squareRoot()))
      }
      let (wide, tall) = (inputs / graloraK, outputs / graloraK)
      let adapter = GranularAdapter(
        a: try factor(scope, "gralora_A", [graloraK, wide, r], columns: wide, isZero: false),
        b: try factor(scope, "gralora_B", [graloraK, r, tall], columns: r, isZero: initWeights),
        whole: hybridR == 0
          ? nil
          : (
            a: try factor(scope / "gralora_A_general", "weight", [hybridR, inputs], columns: inputs, isZero: false),
            b: try factor(scope / "gralora_B_general", "weight", [outputs, hybridR], columns: hybridR, isZero: initWeights)
          ), scale: Float(alpha / Double(r + hybridR)), dropout: Float(graloraDropout))
      try attachment.fill(layer, with: adapter)
    }
    try attachment.adoptBiases(bias, of: sites, targets: layers, saved: modulesToSave ?? [])
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }
}

/// Factors of blocks, and perhaps of the whole, beside a linear layer.
private final class GranularAdapter: AdditiveAdapter {
  /// `[k, in / k, r]` and `[k, r, out / k]`.
  let a: Parameter, b: Parameter
  /// `[hybrid_r, in]` and `[out, hybrid_r]`.
  let whole: (a: Parameter, b: Parameter)?
  let scale: Float, dropout: Float

  init(a: Parameter, b: Parameter, whole: (a: Parameter, b: Parameter)?, scale: Float, dropout: Float) {
    (self.a, self.b, self.whole, self.scale, self.dropout) = (a, b, whole, scale, dropout)
  }

  func change(_ x: Tensor, addingTo base: consuming Tensor, _ pass: Pass) -> Tensor {
    let (count, rank, tall) = (b.shape[0], b.shape[1], b.shape[2])
    let x = pass.dropout(x, dropout, at: a.path)
    let narrow = multiplyBlocks(x, a.operand.reshaped(to: [count, a.shape[1] * rank]), outputs: rank)
    // Of every stretch's result a share goes to each stretch of the output.
    let rows = narrow.shape.rows
    let dealt = transposeRows(narrow.reshaped(to: [rows, count * rank]), size: count, of: rank / count)
    let sum = base + scale * multiplyBlocks(dealt, b.operand.reshaped(to: [count, rank * tall]), outputs: tall)
    return whole.map { linear(linear(x, $0.a.operand), $0.b.operand, scale: scale, addingTo: sum) } ?? sum
  }
}

/// Every row, a square of `size` by `size` stretches of `length`, with its two sides exchanged.
private func transposeRows(_ x: Tensor, size: Int, of length: Int) -> Tensor {
  let rows = x.shape.rows
  // Stretches are moved as rows of a table.
  let order = (0..<rows * size * size).map { place -> Int32 in
    let (row, first, second) = (place / (size * size), place / size % size, place % size)
    return Int32(row * size * size + second * size + first)
  }
  return gatherRows(x.reshaped(to: [rows * size * size, length]), Tensor(order)).reshaped(to: [rows, size * size * length])
}
