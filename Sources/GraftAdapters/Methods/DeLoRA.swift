import GraftConfiguration
import GraftLayers
import GraftTensors

/// Low-rank adaptation of bounded length: `y = W x + b + (λ / r) Σ bᵢ aᵢᵀ (n * x)` for unit vectors `aᵢ` and `bᵢ`, with `n` the lengths of the
/// columns of `W`.
///
/// Bini et al. 2025, "DeLoRA: decoupling angles and strength in low-rank adaptation".
public struct DeLoRA: LayerTargetedMethod {
  public static let name = "DELORA"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "DeLoRA", formula: "`W x + b + (λ / r) B A (n * x)`, `A` and `B` of unit vectors, `n` the lengths of `W`'s columns",
    parameters: "`r (in + out) + 1` a target", seam: "linear layers", source: "Bini et al. 2025")

  package var r = 8
  /// The strength that `λ` starts with.
  package var deloraLambda = 15.0
  package var moduleDropout = 0.0
  public var targetKeys = TargetKeys()
  package var bias = BiasTraining.none
  package var initWeights = true
  package var rankPattern = ConfigTree.mapping(ConfigMapping())
  package var lambdaPattern = ConfigTree.mapping(ConfigMapping())

  public init() {}

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    guard (0..<1).contains(moduleDropout) else { throw TuningError("module_dropout: is \(moduleDropout); it must be at least 0 and below 1") }
    let layers = try targets.linears(in: sites, for: attachment)
    let ranks = try PatternTable("rank_pattern", rankPattern.numbers)
    let strengths = try PatternTable("lambda_pattern", lambdaPattern.numbers)
    for patterns in [ranks, strengths] { try patterns.requireUse(by: layers.map(\.path), in: attachment) }
    for layer in layers {
      let rank = Int(ranks[layer.path] ?? Double(r))
      guard rank > 0 else { throw TuningError("r: is \(rank) for \(layer.path); a rank is at least 1") }
      let scope = attachment.scope / layer.path
      let tall = Initializer.uniform(bound: 1 / Float(rank).squareRoot())
      let adapter = BoundedAdapter(
        a: try scope.parameter("delora_A", [rank, layer.inputSize], .uniform(bound: 1 / Float(layer.inputSize).squareRoot())),
        b: try scope.parameter("delora_B", [layer.outputSize, rank], initWeights ? .zeros : tall),
        strength: try scope.parameter("delora_lambda", [1], .constant(Float(strengths[layer.path] ?? deloraLambda))),
        lengths: try scope.parameter("delora_w_norm", [layer.inputSize], .ones), dropout: Float(moduleDropout))
      adapter.lengths.isTrainable = false
      if !attachment.isLoading { adapter.lengths.assign(rowLengths(of: layer.matrix.transposed)) }
      try attachment.fill(layer, with: adapter)
    }
    try attachment.adoptBiases(bias, of: sites, targets: layers, saved: modulesToSave ?? [])
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }
}

/// Unit vectors and their strength beside a linear layer.
private final class BoundedAdapter: AdditiveAdapter {
  /// `[r, in]` and `[out, r]`, whose rows and columns count as unit vectors.
  let a: Parameter, b: Parameter
  /// `[1]`, and the lengths of the weight's columns `[in]`.
  let strength: Parameter, lengths: Parameter
  let dropout: Float

  /// Shorter vectors are not made longer than they would be by this.
  private static let least: Float = 1e-4

  init(a: Parameter, b: Parameter, strength: Parameter, lengths: Parameter, dropout: Float) {
    (self.a, self.b, self.strength, self.lengths, self.dropout) = (a, b, strength, lengths, dropout)
  }

  func change(_ x: Tensor, addingTo base: consuming Tensor, _ pass: Pass) -> Tensor {
    let scaled = scaleColumns(pass.dropout(x, dropout, at: a.path), by: lengths.value)
    let narrow = linear(scaled, unitRows(a.operand, floor: Self.least))
    let directions = scaleAll(unitRows(b.operand.transposed, floor: Self.least), by: strength.operand)
    return linear(narrow, directions, layout: .inputByOutput, scale: 1 / Float(a.shape[0]), addingTo: base)
  }
}
