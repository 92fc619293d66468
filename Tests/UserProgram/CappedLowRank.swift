import Graft

/// A low-rank adapter whose change cannot run away: `y = W x + b + B c tanh(A x / c)`, with `A` and `B` trained.
struct CappedLowRank: TuningMethod {
  static let name = "CAPPED_LOW_RANK"
  static let defaultLearningRate = 5e-3
  static let card = MethodCard(
    title: "capped low rank", formula: "`W x + b + B c tanh(A x / c)`", parameters: "`r (in + out)` a target", seam: "linear layers", source: "-")

  /// The keys of the `method:` section and of an adapter's configuration are these names in snake case.
  var r = 4
  var cap = 2.0
  var targetModules: ModuleSelection? = .allLinear

  /// The change is no matrix, and cannot be folded into the weight.
  var isMergeable: Bool { false }

  func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    guard r > 0 else { throw TuningError("r: is \(r); choose 1 or more") }
    guard cap > 0 else { throw TuningError("cap: is \(cap); choose a number above 0") }
    for layer in try Targets(modules: targetModules).linears(in: sites, for: attachment) {
      let scope = attachment.scope / layer.path
      let adapter = CappedLowRankAdapter(
        a: try scope.parameter("capped_A", [r, layer.inputSize], .normal(standardDeviation: 0.02)),
        b: try scope.parameter("capped_B", [layer.outputSize, r], .zeros), cap: Float(cap))
      try attachment.fill(layer, with: adapter)
    }
  }
}

/// The adapter in a layer's slot.
private final class CappedLowRankAdapter: LinearAdapter {
  let a: Parameter
  let b: Parameter
  let cap: Float

  init(a: Parameter, b: Parameter, cap: Float) {
    self.a = a
    self.b = b
    self.cap = cap
  }

  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor {
    linear(softcap(linear(x, a.operand), cap: cap), b.operand, addingTo: base.plain(x))
  }

  func merge(into base: Linear) throws(TuningError) { throw TuningError("CAPPED_LOW_RANK: its change is no matrix; keep the adapter separate") }
}

/// `cap * tanh(x / cap)`, elementwise: an operation with a gradient of its own.
func softcap(_ x: Tensor, cap: Float) -> Tensor {
  customOperation("softcap", of: [x]) { inputs in
    cap * activate((1 / cap) * inputs[0], .tanh)
  } pullback: { gradient, _, output in
    let slope = (1 / cap) * output
    return [gradient - gradient * slope * slope]
  }
}
