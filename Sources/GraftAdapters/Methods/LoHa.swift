import GraftConfiguration
import GraftLayers
import GraftTensors

/// The Hadamard product of two low-rank matrices: `ΔW = s (w1a w1b) * (w2a w2b)`, of rank up to `r²`.
///
/// Hyeon-Woo et al. 2022, "FedPara", proposition 1.
public struct LoHa: RankedMethod {
  public static let name = "LOHA"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "LoHa", formula: "`W x + b + s ((w1a w1b) * (w2a w2b)) x`", parameters: "`2 r (in + out)` a target",
    seam: "linear layers", source: "Hyeon-Woo et al. 2022")

  package var r = 8
  package var alpha = 8.0
  package var rankDropout = 0.0
  package var moduleDropout = 0.0
  package var useEffectiveConv2d = false
  public var targetKeys = TargetKeys()
  package var initWeights = true
  package var rankPattern = ConfigTree.mapping(ConfigMapping())
  package var alphaPattern = ConfigTree.mapping(ConfigMapping())

  public init() {}

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    for (layer, rank, scale) in try rankedLayers(in: sites, for: attachment) {
      let scope = attachment.scope / layer.path
      let tall = Initializer.uniform(bound: 1 / Float(rank).squareRoot())
      let wide = Initializer.uniform(bound: 1 / Float(layer.inputSize).squareRoot())
      let factors = [
        try scope.parameter("hada_w1_a", [layer.outputSize, rank], tall), try scope.parameter("hada_w1_b", [rank, layer.inputSize], wide),
        try scope.parameter("hada_w2_a", [layer.outputSize, rank], tall),
        try scope.parameter("hada_w2_b", [rank, layer.inputSize], initWeights ? .zeros : wide),
      ]
      try attachment.fill(layer, with: HadamardAdapter(factors, scale: scale))
    }
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }
}

/// Four factors of one matrix beside a linear layer.
private final class HadamardAdapter: LinearAdapter {
  /// `[out, r]`, `[r, in]`, twice.
  let factors: [Parameter]
  let scale: Float

  init(_ factors: [Parameter], scale: Float) { (self.factors, self.scale) = (factors, scale) }

  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor {
    linear(x, change(factors.map(\.operand)), scale: scale, addingTo: base.plain(x))
  }

  /// `[out, in]`, without the scale.
  private func change(_ f: [Tensor]) -> Tensor { matrixProduct(f[0], f[1]) * matrixProduct(f[2], f[3]) }

  func merge(into base: Linear) throws(TuningError) {
    try base.merge { $0 + scale * change(factors.map(\.value)) }
  }
}
