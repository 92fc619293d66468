import GraftConfiguration
import GraftLayers
import GraftTensors

/// A full-rank change as a sum of random low-rank products with trained scales: `ΔW = s Σₙ Bₙ Λₙ A Γₙ`.
///
/// Albert et al. 2025, "RandLoRA: full-rank parameter-efficient fine-tuning of large models". `A` and all `Bₙ` are fixed and shared by
/// all targets, of which each takes as many as its smaller side has rows.
public struct RandLoRA: TargetedMethod, SpelledKeys {
  public static let name = "RANDLORA"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "RandLoRA", formula: "`W x + b + s Σ Bₙ Λₙ A Γₙ x`, `A` and `B` fixed and shared",
    parameters: "`min(in, out) (1 + min(in, out) / r)` a target",
    seam: "linear layers", source: "Albert et al. 2025")

  package var r = 32
  public var targetModules: ModuleSelection?
  package var projectionKey = 0
  package var saveProjection = true
  /// True for matrices of -1, 0 and 1, of which a third of the elements is not 0, or only a root's share.
  package var sparse = false
  package var verySparse = false
  package var randloraDropout = 0.0
  package var randloraAlpha = 640.0
  package var bias = BiasTraining.none
  public var modulesToSave: [String]?
  package var initWeights = true
  public var layersToTransform: OneOrMany<Int>?
  public var layersPattern: OneOrMany<String>?

  public init() {}

  public static let keySpellings = ["projectionKey": "projection_prng_key"]

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    guard r > 0 else { throw TuningError("r: is \(r); a rank is at least 1") }
    guard (0..<1).contains(randloraDropout) else { throw TuningError("randlora_dropout: is \(randloraDropout); it must be at least 0 and below 1") }
    let layers = try targets.linears(in: sites, for: attachment)
    let sides = [layers.map(\.inputSize).max() ?? 0, layers.map(\.outputSize).max() ?? 0]
    let (least, most) = (min(sides[0], sides[1]), max(sides[0], sides[1]))
    let count = bases(least)
    lazy var drawn = RandomBases(self, least: least, most: most)
    let a = try attachment.fixed("randlora_A", [r, 1, least], isStored: saveProjection) { drawn.a }
    let b = try attachment.fixed("randlora_B", [most, count, r], isStored: saveProjection) { drawn.b }
    let flat = b.reshaped(to: [most, count * r])
    for layer in layers {
      let (small, large) = (min(layer.inputSize, layer.outputSize), max(layer.inputSize, layer.outputSize))
      let scope = attachment.scope / layer.path
      for (name, value) in [("randlora_A", a), ("randlora_B", b)] { try attachment.ignore((scope / name).path, shape: value.shape) }
      let own = bases(small)
      let initial = 1 / Float(max(own, small))
      let adapter = RandomBasesAdapter(
        a: a.reshaped(to: [r, least]).columns(0..<small), b: flat.columns(0..<own * r).rows(0..<large),
        inner: try scope.parameter("randlora_lambda", [r, own], initWeights ? .zeros : .normal(standardDeviation: 1)),
        outer: try scope.parameter("randlora_gamma", [own, small], .constant(initWeights ? initial : 1 / Float(large))),
        isTurned: layer.inputSize > layer.outputSize, scale: Float(randloraAlpha / Double(r)), dropout: Float(randloraDropout))
      try attachment.fill(layer, with: adapter)
    }
    try attachment.adoptBiases(bias, of: sites, targets: layers, saved: modulesToSave ?? [])
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  /// The number of products that reach the full rank of a matrix.
  private func bases(_ size: Int) -> Int { (size + r - 1) / r }

  /// The fixed matrices as PEFT draws them, divided by their deviation.
  private struct RandomBases {
    let a: [Float], b: [Float]

    init(_ method: RandLoRA, least: Int, most: Int) {
      let count = method.bases(least)
      var generator = TorchGenerator(seed: UInt64(bitPattern: Int64(method.projectionKey)))
      guard method.sparse || method.verySparse else {
        // Drawn in float32; values, deviation and quotient are bfloat16.
        func normalized(_ values: [Float]) -> [Float] {
          let deviation = rounded([RandomBases.deviation(of: values)])[0]
          return rounded(values.map { $0 / deviation })
        }
        func uniform(_ count: Int, fan: Int) -> [Float] {
          let bound = TorchGenerator.kaimingBound(fan: fan, slope: 5.0.squareRoot())
          let end = rounded([bound])[0]
          // What rounding takes to the upper bound stands at the lower one.
          return rounded(generator.uniform(count, in: -bound..<bound)).map { $0 >= end ? -end : $0 }
        }
        a = normalized(uniform(method.r * least, fan: least))
        // Drawn basis by basis, and stored row by row.
        let drawn = (0..<count).map { _ in uniform(most * method.r, fan: method.r) }
        b = normalized((0..<most).flatMap { row in drawn.flatMap { $0[row * method.r..<(row + 1) * method.r] } })
        return
      }
      let share = Float(1 / (2 * (method.verySparse ? Double(least).squareRoot() : 3)))
      func signs(_ values: [Float]) -> [Float] {
        let signs = values.map { $0 < share ? -1 : $0 > 1 - share ? 1 : 0 as Float }
        let deviation = RandomBases.deviation(of: signs)
        return signs.map { $0 / deviation }
      }
      a = signs(generator.uniform(method.r * least))
      b = signs(generator.uniform(most * count * method.r))
    }

    private static func deviation(of values: [Float]) -> Float {
      let mean = values.reduce(0.0) { $0 + Double($1) } / Double(values.count)
      let square = values.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
      return Float((square / Double(values.count - 1)).squareRoot())
    }
  }
}

private func rounded(_ values: [Float]) -> [Float] { Tensor(values).converted(to: .bfloat16).values }

extension Attachment {
  /// A frozen matrix that all targets share: a file's, or drawn again.
  /// - Parameter isStored: true where files keep it.
  /// - Throws: `WeightError` where a file lacks it or has another size.
  func fixed(_ name: String, _ shape: Shape, isStored: Bool, drawn: () -> [Float]) throws -> Tensor {
    guard isStored else {
      let key = (root / "base_model" / name).path
      return try taken(key, shape: shape)?.converted(to: .float32) ?? Tensor(drawn(), shape)
    }
    let matrix = try (root / "base_model").parameter(name, shape, .zeros)
    matrix.isTrainable = false
    if !isLoading { matrix.assign(Tensor(drawn(), shape)) }
    return matrix.value
  }
}

/// Fixed bases with trained scales beside a linear layer.
private final class RandomBasesAdapter: AdditiveAdapter {
  /// `[r, small]` and `[large, bases * r]`, where a layer has a small and a large side.
  let a: Tensor, b: Tensor
  /// `[r, bases]` and `[bases, small]`.
  let inner: Parameter, outer: Parameter
  /// True where the inputs are the large side.
  let isTurned: Bool
  let scale: Float, dropout: Float

  init(a: Tensor, b: Tensor, inner: Parameter, outer: Parameter, isTurned: Bool, scale: Float, dropout: Float) {
    (self.a, self.b, self.inner, self.outer) = (a, b, inner, outer)
    (self.isTurned, self.scale, self.dropout) = (isTurned, scale, dropout)
  }

  /// `[r * bases, small]`: the rows of `A`, for every basis, with the scales of both sides.
  private var scaled: Tensor {
    let (rank, count) = (inner.shape[0], inner.shape[1])
    let rows = gatherRows(a, Tensor((0..<rank * count).map { Int32($0 / count) }))
    let columns = gatherRows(outer.operand, Tensor((0..<rank * count).map { Int32($0 % count) }))
    return scaleRows(rows * columns, by: inner.operand.reshaped(to: [rank * count, 1]))
  }

  func change(_ x: Tensor, addingTo base: consuming Tensor, _ pass: Pass) -> Tensor {
    let x = pass.dropout(x, dropout, at: inner.path)
    guard isTurned else { return linear(linear(x, scaled), b, scale: scale, addingTo: base) }
    return linear(linear(x, b, layout: .inputByOutput), scaled, layout: .inputByOutput, scale: scale, addingTo: base)
  }
}
