import GraftConfiguration
import GraftLayers
import GraftTensors

/// The factors of all targets from one vector: every element of `A` and `B` is an element of it, drawn once, over the root of how often
/// that one is used; `y = W x + b + B A x`.
///
/// Li et al. 2025, "Uni-LoRA: one vector is all you need", section 3.
public struct UniLoRA: LayerTargetedMethod {
  public static let name = "UNILORA"
  public static let defaultLearningRate = 5e-3
  public static let card = MethodCard(
    title: "Uni-LoRA", formula: "`W x + b + B A x`, the elements of `A` and `B` taken from one vector", parameters: "`theta_d_length` in all",
    seam: "linear layers", source: "Li et al. 2025")

  package var r = 4
  /// The seed of NumPy's generator that deals out the vector's elements.
  package var projSeed = 42
  /// The length of the vector.
  package var thetaDLength = 256
  package var uniloraDropout = 0.0
  package var bias = BiasTraining.none
  package var initThetaDBound = 0.02
  package var initWeights = true
  /// True where files hold which elements were dealt, which the seed tells anyway.
  package var saveIndices = false
  public var targetKeys = TargetKeys()

  public init() {}

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    try validate()
    let layers = try targets.linears(in: sites, for: attachment)
    let vector = try (attachment.root / "base_model").parameter(
      "unilora_theta_d", [thetaDLength], initWeights ? .uniform(bound: Float(initThetaDBound)) : .normal(standardDeviation: 1))
    let dealt = dealt(layers.reduce(0) { $0 + r * ($1.inputSize + $1.outputSize) })
    var counts = [Int](repeating: 0, count: thetaDLength)
    for element in dealt { counts[element] += 1 }
    var start = 0
    func factor(_ name: String, _ shape: Shape, of layer: Linear) throws -> DealtFactor {
      let scope = attachment.scope / layer.path
      let own = dealt[start..<start + shape.elementCount]
      start += shape.elementCount
      let (places, scales) = ((scope / "unilora_indices_\(name)").path, (scope / "unilora_scales_\(name)").path)
      let stored = try attachment.taken(places, shape: shape)?.converted(to: .float32).values
      let weights = try attachment.taken(scales, shape: shape)?.converted(to: .float32)
      guard !(saveIndices && attachment.isLoading) || stored != nil && weights != nil else {
        throw WeightError("there is no tensor \(stored == nil ? places : scales) \(shape), which save_indices says is there")
      }
      guard (stored ?? []).allSatisfy({ (0..<Float(thetaDLength)).contains($0) }) else {
        throw TuningError("\(places): names an element beyond theta_d_length \(thetaDLength)")
      }
      let factor = DealtFactor(
        places: Tensor(stored?.map { Int32($0) } ?? own.map(Int32.init)).reshaped(to: shape),
        scales: weights ?? Tensor(own.map { 1 / Float(counts[$0]).squareRoot() }, shape))
      if saveIndices {
        attachment.store(places) { factor.places }
        attachment.store(scales) { factor.scales }
      }
      return factor
    }
    for layer in layers {
      let adapter = OneVectorAdapter(
        vector: vector, a: try factor("A", [r, layer.inputSize], of: layer), b: try factor("B", [layer.outputSize, r], of: layer),
        dropout: Float(uniloraDropout), path: layer.path)
      try attachment.fill(layer, with: adapter)
    }
    try attachment.adoptBiases(bias, of: sites, targets: layers, saved: modulesToSave ?? [])
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  private func validate() throws(TuningError) {
    for (key, value) in [("r", r), ("theta_d_length", thetaDLength)] where value < 1 {
      throw TuningError("\(key): is \(value); it must be at least 1")
    }
    guard thetaDLength <= 1 << 24 else { throw TuningError("theta_d_length: is \(thetaDLength); it may be at most \(1 << 24)") }
    guard projSeed >= 0 else { throw TuningError("proj_seed: is \(projSeed); NumPy's seeds are not negative") }
    guard (0..<1).contains(uniloraDropout) else { throw TuningError("unilora_dropout: is \(uniloraDropout); it must be at least 0 and below 1") }
    guard initThetaDBound > 0 else { throw TuningError("init_theta_d_bound: is \(initThetaDBound); it must be above 0, or nothing would learn") }
  }

  /// The element that each of so many places takes: all equally often, as far as that goes, and shuffled.
  private func dealt(_ count: Int) -> [Int] {
    var generator = NumPyGenerator(seed: UInt64(projSeed))
    let (whole, rest) = count.quotientAndRemainder(dividingBy: thetaDLength)
    var elements = (0..<thetaDLength).flatMap { repeatElement($0, count: whole) }
    if rest > 0 { elements += generator.choice(of: thetaDLength, count: rest) }
    generator.shuffle(&elements)
    return elements
  }
}

/// The elements that a factor takes, int32, and what they are multiplied by, both of its shape.
private struct DealtFactor {
  let places: Tensor, scales: Tensor

  func values(from vector: Tensor) -> Tensor {
    let column = vector.reshaped(to: [vector.elementCount, 1])
    return gatherRows(column, places.reshaped(to: [places.elementCount])).reshaped(to: scales.shape) * scales
  }
}

/// `B A x` with factors from one vector.
private final class OneVectorAdapter: AdditiveAdapter {
  /// `[theta_d_length]`.
  let vector: Parameter
  /// `[r, in]` and `[out, r]`.
  let a: DealtFactor, b: DealtFactor
  let dropout: Float
  let path: String

  init(vector: Parameter, a: DealtFactor, b: DealtFactor, dropout: Float, path: String) {
    (self.vector, self.a, self.b, self.dropout, self.path) = (vector, a, b, dropout, path)
  }

  func change(_ x: Tensor, addingTo base: consuming Tensor, _ pass: Pass) -> Tensor {
    let theta = vector.operand
    return linear(linear(pass.dropout(x, dropout, at: path), a.values(from: theta)), b.values(from: theta), addingTo: base)
  }
}
