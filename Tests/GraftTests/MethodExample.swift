import Graft

/// The smallest low-rank adapter: `y = W x + b + u (v · x)`, with `v` and `u` trained and `W` frozen.
struct RankOne: TuningMethod {
  static let name = "RANK_ONE"
  static let defaultLearningRate = 1e-3
  static let card = MethodCard(
    title: "rank one", formula: "`W x + b + u (v · x)`", parameters: "`in + out` a target", seam: "linear layers", source: "-")

  /// The keys of the `method:` section and of `adapter_config.json`, with their defaults: this one is `target_modules` there.
  var targetModules: ModuleSelection? = .allLinear

  func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    for layer in try Targets(modules: targetModules).linears(in: sites, for: attachment) {
      // Tensors are made from a scope: drawn at first, read from a file when the adapter is loaded.
      let scope = attachment.scope / layer.path
      let adapter = RankOneAdapter(
        v: try scope.parameter("rank_one_v", [1, layer.inputSize], .normal(standardDeviation: 0.02)),
        u: try scope.parameter("rank_one_u", [layer.outputSize, 1], .zeros))
      try attachment.fill(layer, with: adapter)
    }
  }
}

/// The part in a layer's slot. Being additive, it can be folded into the weight without further code.
private final class RankOneAdapter: AdditiveAdapter {
  let v: Parameter, u: Parameter

  init(v: Parameter, u: Parameter) { (self.v, self.u) = (v, u) }

  func change(_ x: Tensor, addingTo base: consuming Tensor, _ pass: Pass) -> Tensor {
    linear(linear(x, v.operand), u.operand, addingTo: base)
  }
}
