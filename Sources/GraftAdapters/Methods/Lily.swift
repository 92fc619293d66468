import GraftConfiguration
import GraftLayers
import GraftTensors

/// Low-rank factors shared between layers: every layer mixes the shared `B`s by what a router makes of its inner activations,
/// `y = W x + b + s (Σₑ pₑ Bₑ) A x`.
///
/// Zhong et al. 2024, "Low-rank interconnected adaptation across layers". The shares `p` are means over all tokens that are computed
/// together, so that what a token gets depends on those beside it.
public struct Lily: LayerTargetedMethod, SpelledKeys {
  public static let name = "LILY"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "Lily", formula: "`W x + b + s (Σ pₑ Bₑ) A x`, `B` shared by all layers, `A` by some",
    parameters: "`r in` a few layers, `n r out` a kind of layer",
    seam: "linear layers", source: "Zhong et al. 2024")

  package var r = 32
  /// Consecutive layers of a kind that share an `A`.
  package var strideOfA = 1
  /// The shared matrices of a kind of layer.
  package var numberOfB = 2
  package var scaling = 1.0
  public var targetKeys = TargetKeys()
  package var initWeights = true

  public init() {}

  public static let keySpellings = ["strideOfA": "stride_A", "numberOfB": "num_B"]

  public var isMergeable: Bool { false }

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    for (key, value) in [("r", r), ("stride_A", strideOfA), ("num_B", numberOfB)] where value < 1 {
      throw TuningError("\(key): is \(value); it must be at least 1")
    }
    let layers = try targets.linears(in: sites, for: attachment)
    var kinds: [[Linear]] = []
    for layer in layers {
      let place = kinds.firstIndex { $0[0].weight.shape == layer.weight.shape && kind(of: $0[0].path) == kind(of: layer.path) }
      if let place { kinds[place].append(layer) } else { kinds.append([layer]) }
    }
    for kind in kinds { try attach(kind, in: attachment) }
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  /// The last of the names in `target_modules` that a path ends with; the whole of a pattern.
  private func kind(of path: String) -> String? {
    switch targetModules {
    case .names(let names): names.last { path.hasSuffix($0) }
    case .pattern(let pattern): pattern
    case nil: path.split(separator: ".").last.map(String.init)
    }
  }

  /// Layers that share their `B`s, and in groups their `A`s.
  private func attach(_ layers: [Linear], in attachment: Attachment) throws {
    var a: Parameter?
    var b: Parameter?
    for (index, layer) in layers.enumerated() {
      let scope = attachment.scope / layer.path
      let (inputs, outputs) = (layer.inputSize, layer.outputSize)
      func shared(_ held: Parameter?, _ name: String, _ shape: Shape, _ initial: Initializer) throws -> Parameter {
        guard let held else { return try (scope / name).parameter("weight", shape, initial) }
        // Files have it under the name of every layer.
        let key = (scope / name / "weight").path
        guard try attachment.taken(key, shape: shape) != nil || !attachment.isLoading else { throw WeightError("\(key): is missing") }
        attachment.store(key) { held.value }
        return held
      }
      let first = try shared(index % strideOfA == 0 ? nil : a, "lily_A", [r, inputs], .uniform(bound: 1 / Float(inputs).squareRoot()))
      let second = try shared(
        b, "lily_B", [numberOfB * r, outputs], initWeights ? .zeros : .uniform(bound: 1 / Float(outputs).squareRoot()))
      let router = try (scope / "lily_router").parameter("weight", [numberOfB, r], .uniform(bound: 1 / Float(r).squareRoot()))
      (a, b) = (first, second)
      try attachment.fill(layer, with: RoutedFactors(a: first, b: second, router: router, scale: Float(scaling)))
    }
  }
}

/// One layer's mixture of shared factors.
private final class RoutedFactors: LinearAdapter {
  /// `[r, in]`, `[n * r, out]` and `[n, r]`.
  let a: Parameter, b: Parameter, router: Parameter
  let scale: Float

  init(a: Parameter, b: Parameter, router: Parameter, scale: Float) { (self.a, self.b, self.router, self.scale) = (a, b, router, scale) }

  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor {
    let narrow = linear(x, a.operand)
    let (count, rank, outputs) = (router.shape[0], router.shape[1], b.shape[1])
    let shares = softmax(linear(narrow, router.operand))
    let mean = matrixProduct(Tensor(repeating: 1 / Float(shares.shape.rows), shape: [1, shares.shape.rows]), shares)
    let mixed = matrixProduct(mean, b.operand.reshaped(to: [count, rank * outputs])).reshaped(to: [rank, outputs])
    return linear(narrow, mixed, layout: .inputByOutput, scale: scale, addingTo: base.plain(x))
  }

  func merge(into base: Linear) throws(TuningError) {
    throw TuningError("\(base.path): its factors are mixed by the input, which no weight can express")
  }
}
