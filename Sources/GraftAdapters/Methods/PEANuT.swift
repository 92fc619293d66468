import GraftConfiguration
import GraftLayers
import GraftTensors

/// A weight's change computed from the weight by a small network: `ΔW = s f(W)`, `f` between two projections to width `r`.
///
/// Zhong et al. 2024, "PEANuT: parameter-efficient adaptation with weight-aware neural tweakers": `f` has `depth` layers down and as many
/// up, each of which is met by the result on the other side.
public struct PEANuT: LayerTargetedMethod {
  public static let name = "PEANUT"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "PEANuT", formula: "`(W + s f(W)) x + b`, `f` a network of width `r`", parameters: "`2 r out + 2 depth r²` a target",
    seam: "linear layers", source: "Zhong et al. 2024")

  package var r = 32
  /// The layers down between the projections.
  package var depth = 0
  package var actFn = "relu"
  package var scaling = 1.0
  public var targetKeys = TargetKeys()
  package var initWeights = true

  public init() {}

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    guard r > 0, depth >= 0 else { throw TuningError("r: is \(r) and depth \(depth); a rank is at least 1, and a depth at least 0") }
    guard let activation = Activation(named: actFn) else {
      throw TuningError("act_fn: \"\(actFn)\" is none of the activations; use relu, gelu, silu, tanh or another name of Hugging Face's")
    }
    for layer in try targets.linears(in: sites, for: attachment) {
      let scope = attachment.scope / layer.path
      func matrix(_ scope: Scope, _ rows: Int, _ columns: Int, isZero: Bool = false) throws -> Parameter {
        try scope.parameter("weight", [rows, columns], isZero ? .zeros : .uniform(bound: 1 / Float(columns).squareRoot()))
      }
      let tweaker = WeightTweaker(
        a: try matrix(scope / "peanut_A", r, layer.outputSize),
        encoders: try (0..<depth).map { try matrix(scope / "peanut_encoders" / $0, r, r) },
        decoders: try (0..<depth).map { try matrix(scope / "peanut_decoders" / $0, r, r) },
        b: try matrix(scope / "peanut_B", layer.outputSize, r, isZero: initWeights), activation, scale: Float(scaling))
      try attachment.fill(layer, with: tweaker)
    }
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }
}

/// A network over the weight beside a linear layer.
private final class WeightTweaker: LinearAdapter {
  /// `[r, out]`, `[r, r]` and `[out, r]`.
  let a: Parameter, encoders: [Parameter], decoders: [Parameter], b: Parameter
  let activation: Activation
  let scale: Float

  init(a: Parameter, encoders: [Parameter], decoders: [Parameter], b: Parameter, _ activation: Activation, scale: Float) {
    (self.a, self.encoders, self.decoders, self.b) = (a, encoders, decoders, b)
    (self.activation, self.scale) = (activation, scale)
  }

  /// The network's last layer before `B`, for every input `[in, r]`: what `x` meets first, so that `ΔW` itself is not made.
  private func inner(_ weight: Tensor) -> Tensor {
    var rows = activate(matrixProduct(a.operand, weight).transposed, activation)
    var passed: [Tensor] = []
    for encoder in encoders {
      passed.append(rows)
      rows = activate(linear(rows, encoder.operand), activation)
    }
    for decoder in decoders {
      guard let other = passed.popLast() else { break }
      rows = activate(linear(rows, decoder.operand), activation) + other
    }
    return rows
  }

  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor {
    linear(matrixProduct(x, inner(base.matrix)), b.operand, scale: scale, addingTo: base.plain(x))
  }

  func merge(into base: Linear) throws(TuningError) {
    try base.merge { linear(b.value, inner($0), scale: scale, addingTo: $0) }
  }
}
