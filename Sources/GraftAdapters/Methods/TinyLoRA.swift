import GraftConfiguration
import GraftLayers
import GraftTensors

/// A few numbers through fixed random matrices between the weight's leading singular vectors: `ΔW = U √S (Σᵢ vᵢ Pᵢ) √S Vᵀ`.
///
/// "Learning to reason in 13 parameters" (arXiv:2602.04118), after Bałazy et al. 2024, "LoRA-XS". Targets may share the numbers `v`.
public struct TinyLoRA: TargetedMethod {
  public static let name = "TINYLORA"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "TinyLoRA", formula: "`W x + b + B (Σ vᵢ Pᵢ) A x`, `A` and `B` the weight's singular vectors, `P` fixed",
    parameters: "`u` a target or group of targets", seam: "linear layers", source: "arXiv:2602.04118")

  package var r = 2
  /// The numbers of a group of targets.
  package var u = 64
  /// The share of targets that have no numbers of their own.
  package var weightTying = 0.0
  package var projectionSeed = 42
  package var saveProjection = true
  package var initVBound = 0.02
  public var targetModules: ModuleSelection?
  package var tinyloraDropout = 0.0
  package var bias = BiasTraining.none
  public var modulesToSave: [String]?
  package var initWeights = NumberInitialization.zero
  public var layersToTransform: OneOrMany<Int>?
  public var layersPattern: OneOrMany<String>?

  public init() {}

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    try validate()
    let layers = try targets.linears(in: sites, for: attachment)
    let groups = max(1, Int((Double(layers.count) * (1 - weightTying)).rounded(.toNearestOrEven)))
    let size = max(1, layers.count / groups)
    let scope = attachment.root / "base_model" / "tinylora_v"
    let initial: Initializer = initWeights == .zero ? .zeros : .uniform(bound: Float(initVBound))
    let used = (layers.count - 1) / size
    let numbers = try (0...min(used, groups - 1)).map { try scope.parameter(String($0), [u], initial) }
    for (index, layer) in layers.enumerated() {
      let adapter = try self.adapter(of: layer, index, numbers[min(index / size, groups - 1)], in: attachment)
      try attachment.fill(layer, with: adapter)
    }
    try attachment.adoptBiases(bias, of: sites, targets: layers, saved: modulesToSave ?? [])
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  private func validate() throws(TuningError) {
    for (key, value) in [("r", r), ("u", u)] where value < 1 { throw TuningError("\(key): is \(value); it must be at least 1") }
    guard (0...1).contains(weightTying) else { throw TuningError("weight_tying: is \(weightTying); it is a share between 0 and 1") }
    guard (0..<1).contains(tinyloraDropout) else { throw TuningError("tinylora_dropout: is \(tinyloraDropout); it must be at least 0 and below 1") }
  }

  private func adapter(of layer: Linear, _ index: Int, _ numbers: Parameter, in attachment: Attachment) throws -> TinyAdapter {
    let scope = attachment.scope / layer.path
    let rank = min(r, layer.inputSize, layer.outputSize)
    let a = try scope.parameter("tinylora_A", [rank, layer.inputSize], .zeros)
    let b = try scope.parameter("tinylora_B", [layer.outputSize, rank], .zeros)
    for factor in [a, b] { factor.isTrainable = false }
    if !attachment.isLoading {
      let part = LowRankPart.principal(of: layer.matrix, rank: rank, iterations: 60, RandomStream(seed: 0).split(layer.path))
      a.assign(part.a)
      b.assign(part.b)
    }
    let shape: Shape = [u, rank, rank]
    func drawn() -> Tensor {
      var generator = TorchGenerator(seed: UInt64(bitPattern: Int64(projectionSeed + index)))
      return Tensor(generator.normal(shape.elementCount, standardDeviation: Float(1 / Double(rank).squareRoot())), shape)
    }
    let key = (scope / "tinylora_P").path
    let projections: Tensor
    if saveProjection {
      let stored = try scope.parameter("tinylora_P", shape, .zeros)
      stored.isTrainable = false
      if !attachment.isLoading { stored.assign(drawn()) }
      projections = stored.value
    } else {
      projections = try attachment.taken(key, shape: shape)?.converted(to: .float32) ?? drawn()
    }
    return TinyAdapter(a: a.value, b: b.value, projections: projections, numbers: numbers, dropout: Float(tinyloraDropout), path: scope.path)
  }
}

/// The initial values of numbers.
package enum NumberInitialization: Codable, Sendable, Hashable {
  case zero
  /// Uniform within `init_v_bound` of zero.
  case uniform

  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let isDefault = try? container.decode(Bool.self), isDefault {
      self = .zero
      return
    }
    guard (try? container.decode(String.self)) == "uniform" else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "unknown initialization; use true or uniform")
    }
    self = .uniform
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .zero: try container.encode(true)
    case .uniform: try container.encode("uniform")
    }
  }
}

/// A small matrix of a few numbers between frozen factors.
private final class TinyAdapter: AdditiveAdapter {
  /// `[r, in]` and `[out, r]`.
  let a: Tensor, b: Tensor
  /// `[u, r, r]`.
  let projections: Tensor
  /// `[u]`.
  let numbers: Parameter
  let dropout: Float
  let path: String

  init(a: Tensor, b: Tensor, projections: Tensor, numbers: Parameter, dropout: Float, path: String) {
    (self.a, self.b, self.projections, self.numbers, self.dropout, self.path) = (a, b, projections, numbers, dropout, path)
  }

  func change(_ x: Tensor, addingTo base: consuming Tensor, _ pass: Pass) -> Tensor {
    let (count, rank) = (projections.shape[0], projections.shape[1])
    let flat = projections.reshaped(to: [count, rank * rank])
    let middle = matrixProduct(numbers.operand.reshaped(to: [1, count]), flat).reshaped(to: [rank, rank])
    return linear(linear(linear(pass.dropout(x, dropout, at: path), a), middle), b, addingTo: base)
  }
}
