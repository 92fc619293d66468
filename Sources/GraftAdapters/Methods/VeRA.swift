import GraftConfiguration
import GraftLayers
import GraftTensors

/// Vectors over shared random matrices: `y = W x + b + λb * (B (λd * (A x)))`, with only `λb` and `λd` trained.
///
/// Kopiczko et al. 2024, "VeRA", eq. 2. `A` and `B` are kept in the adapter's file, or drawn again as PyTorch draws them.
public struct VeRA: TargetedMethod, SpelledKeys {
  public static let name = "VERA"
  public static let defaultLearningRate = 4e-3
  public static let card = MethodCard(
    title: "VeRA", formula: "`W x + b + λb * B (λd * A x)`, `A` and `B` fixed and shared", parameters: "`r + out` a target",
    seam: "linear layers", source: "Kopiczko et al. 2024")

  package var r = 256
  public var targetModules: ModuleSelection?
  package var projectionKey = 0
  package var saveProjection = true
  package var veraDropout = 0.0
  package var dInitial = 0.1
  package var bias = BiasTraining.none
  public var modulesToSave: [String]?
  package var initWeights = true
  public var layersToTransform: OneOrMany<Int>?
  public var layersPattern: OneOrMany<String>?

  public init() {}

  public static let keySpellings = ["projectionKey": "projection_prng_key"]

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    guard r > 0 else { throw TuningError("r: is \(r); a rank is at least 1") }
    guard (0..<1).contains(veraDropout) else { throw TuningError("vera_dropout: is \(veraDropout); it must be at least 0 and below 1") }
    let layers = try targets.linears(in: sites, for: attachment)
    let inputs = layers.map(\.inputSize).max() ?? 0
    let outputs = layers.map(\.outputSize).max() ?? 0
    let (a, b) = try matrices(inputs: inputs, outputs: outputs, attachment)
    for layer in layers {
      let scope = attachment.scope / layer.path
      let adapter = VectorAdapter(
        a: a.columns(0..<layer.inputSize), b: b.rows(0..<layer.outputSize),
        inner: try scope.parameter("vera_lambda_d", [r], .constant(Float(dInitial))),
        outer: try scope.parameter("vera_lambda_b", [layer.outputSize], initWeights ? .zeros : .normal(standardDeviation: 1)),
        dropout: Float(veraDropout))
      try attachment.fill(layer, with: adapter)
    }
    try attachment.adoptBiases(bias, of: sites, targets: layers, saved: modulesToSave ?? [])
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  /// `A [r, inputs]` and `B [outputs, r]`.
  private func matrices(inputs: Int, outputs: Int, _ attachment: Attachment) throws -> (a: Tensor, b: Tensor) {
    guard saveProjection else {
      var generator = TorchGenerator(seed: UInt64(bitPattern: Int64(projectionKey)))
      let drawn = generator.kaimingUniform(r * inputs, fan: inputs)
      let a = try attachment.fixed("vera_A", [r, inputs], isStored: false) { drawn }
      return (a, try attachment.fixed("vera_B", [outputs, r], isStored: false) { generator.kaimingUniform(outputs * r, fan: r) })
    }
    let shared = attachment.root / "base_model"
    let a = try shared.parameter("vera_A", [r, inputs], .uniform(bound: (6 / Float(inputs)).squareRoot()))
    let b = try shared.parameter("vera_B", [outputs, r], .uniform(bound: (6 / Float(r)).squareRoot()))
    for projection in [a, b] { projection.isTrainable = false }
    return (a.value, b.value)
  }
}

/// Two trained vectors between two frozen matrices.
private final class VectorAdapter: AdditiveAdapter {
  /// `[r, in]` and `[out, r]`.
  let a: Tensor, b: Tensor
  /// `[r]` and `[out]`.
  let inner: Parameter, outer: Parameter
  let dropout: Float

  init(a: Tensor, b: Tensor, inner: Parameter, outer: Parameter, dropout: Float) {
    (self.a, self.b, self.inner, self.outer, self.dropout) = (a, b, inner, outer, dropout)
  }

  func change(_ x: Tensor, addingTo base: consuming Tensor, _ pass: Pass) -> Tensor {
    let narrow = scaleColumns(linear(pass.dropout(x, dropout, at: inner.path), a), by: inner.operand)
    return base + scaleColumns(linear(narrow, b), by: outer.operand)
  }
}
