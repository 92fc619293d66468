import Foundation
import GraftConfiguration
import GraftLayers
import GraftTensors

/// Vectors over shared random matrices whose inner activations are drawn: `y = W x + b + λb * (B z)`, with `z` normal around the first half
/// of `λd * (A x)`, and the second half the logarithm of its variance.
///
/// "PVeRA: probabilistic vector-based random matrix adaptation" (arXiv:2512.07703), after Kopiczko et al. 2024, "VeRA".
/// Drawn in training only; otherwise `z` is its mean.
public struct PVeRA: TargetedMethod, SpelledKeys {
  public static let name = "PVERA"
  public static let defaultLearningRate = 4e-3
  public static let card = MethodCard(
    title: "PVeRA", formula: "`W x + b + λb * B z`, `z` drawn around `λd * A x` in training", parameters: "`2 r + out` a target",
    seam: "linear layers", source: "arXiv:2512.07703")

  package var r = 256
  public var targetModules: ModuleSelection?
  package var projectionKey = 0
  package var saveProjection = true
  package var pveraDropout = 0.0
  package var dInitial = 0.1
  package var bias = BiasTraining.none
  public var modulesToSave: [String]?
  package var initWeights = true
  public var layersToTransform: OneOrMany<Int>?
  public var layersPattern: OneOrMany<String>?
  package var sampleAtInference = false
  package var generatorSeed: Int?

  public init() {}

  public static let keySpellings = ["projectionKey": "projection_prng_key"]

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    guard r > 0 else { throw TuningError("r: is \(r); a rank is at least 1") }
    guard (0..<1).contains(pveraDropout) else { throw TuningError("pvera_dropout: is \(pveraDropout); it must be at least 0 and below 1") }
    guard !sampleAtInference else { throw TuningError("sample_at_inference: is true; only false is supported, since the same input has one answer") }
    let layers = try targets.linears(in: sites, for: attachment)
    let inputs = layers.map(\.inputSize).max() ?? 0
    let outputs = layers.map(\.outputSize).max() ?? 0
    lazy var drawn = drawnMatrices(inputs: inputs, outputs: outputs)
    let a = try attachment.fixed("pvera_A", [2 * r, inputs], isStored: saveProjection) { drawn.a }
    let b = try attachment.fixed("pvera_B", [outputs, r], isStored: saveProjection) { drawn.b }
    for layer in layers {
      let scope = attachment.scope / layer.path
      let adapter = DrawnVectorAdapter(
        a: a.columns(0..<layer.inputSize), b: b.rows(0..<layer.outputSize),
        outer: try scope.parameter("pvera_lambda_b", [layer.outputSize], initWeights ? .zeros : .ones),
        inner: try scope.parameter("pvera_lambda_d", [2 * r], initWeights ? .constant(Float(dInitial)) : .normal(standardDeviation: 1)),
        dropout: Float(pveraDropout))
      try attachment.fill(layer, with: adapter)
    }
    try attachment.adoptBiases(bias, of: sites, targets: layers, saved: modulesToSave ?? [])
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  /// `A [2 r, inputs]` and `B [outputs, r]`, one after the other from one generator.
  private func drawnMatrices(inputs: Int, outputs: Int) -> (a: [Float], b: [Float]) {
    var generator = TorchGenerator(seed: UInt64(bitPattern: Int64(projectionKey)))
    let a = generator.kaimingUniform(2 * r * inputs, fan: inputs)
    return (a, generator.kaimingUniform(outputs * r, fan: r))
  }
}

/// Two trained vectors around two frozen matrices, with a draw between them in training.
private final class DrawnVectorAdapter: AdditiveAdapter {
  /// `[2 r, in]` and `[out, r]`.
  let a: Tensor, b: Tensor
  /// `[out]` and `[2 r]`.
  let outer: Parameter, inner: Parameter
  let dropout: Float

  init(a: Tensor, b: Tensor, outer: Parameter, inner: Parameter, dropout: Float) {
    (self.a, self.b, self.outer, self.inner, self.dropout) = (a, b, outer, inner, dropout)
  }

  func change(_ x: Tensor, addingTo base: consuming Tensor, _ pass: Pass) -> Tensor {
    let rank = b.shape[1]
    let both = scaleColumns(linear(pass.dropout(x, dropout, at: inner.path), a), by: inner.operand)
    var narrow = both.columns(0..<rank)
    if pass.isTraining {
      let noise = pass.random.split(inner.path).split("noise").normal(narrow.shape)
      narrow = narrow + noise * halfExponential(both.columns(rank..<2 * rank))
    }
    return base + scaleColumns(linear(narrow, b), by: outer.operand)
  }

  /// `e^(x / 2)`: a deviation from the logarithm of a variance.
  private func halfExponential(_ x: Tensor) -> Tensor {
    customOperation("halfExponential", of: [x]) { inputs in
      Tensor(inputs[0].values.map { exp($0 / 2) }, inputs[0].shape)
    } pullback: { gradient, _, output in
      [0.5 * gradient * output]
    }
  }
}
