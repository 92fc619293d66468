import GraftConfiguration
import GraftLayers
import GraftTensors

/// Low-rank adaptation in the form of a singular value decomposition: `ΔW = s / r · P diag(λ) Q`.
///
/// Zhang et al. 2023, "AdaLoRA", eq. 3. While it is trained triplets are dropped where they matter least, down to `target_r` a
/// layer on average; a file whose triplets were dropped is read, and trained on, with the ranks that its `rank_pattern` records.
public struct AdaLoRA: LayerTargetedMethod, SpelledKeys {
  public static let name = "ADALORA"
  public static let defaultLearningRate = 2e-3
  public static let card = MethodCard(
    title: "AdaLoRA", formula: "`W x + b + s P (λ * Q x)`, triplets dropped while training", parameters: "`r (in + out + 1)` a target",
    seam: "linear layers", source: "Zhang et al. 2023")

  /// Triplets of each layer at first.
  package var initR = 12
  /// Triplets of each layer in the end, on average.
  package var targetR = 8
  package var loraAlpha = 8.0
  package var loraDropout = 0.0
  /// Steps before the budget falls.
  package var tinit = 0
  /// Steps after it has fallen.
  package var tfinal = 0
  /// The number of steps between two droppings of triplets.
  package var deltaT = 1
  /// The share of its past that the importance of a weight keeps.
  package var beta1 = 0.85
  package var beta2 = 0.85
  /// The factor of the penalty on vectors that are not orthonormal.
  package var orthRegWeight = 0.5
  /// The run's own number of steps where nil.
  package var totalStep: Int?
  package var r = 8
  public var targetKeys = TargetKeys()
  package var rankPattern: ConfigTree?
  package var alphaPattern = ConfigTree.mapping(ConfigMapping())
  package var bias = BiasTraining.none
  package var useRslora = false
  package var initLoraWeights = true

  public init() {}

  public static let keySpellings = ["deltaT": "deltaT"]

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    try validate()
    let layers = try targets.linears(in: sites, for: attachment)
    var triplets: [(path: String, adapter: TripletAdapter)] = []
    for layer in layers {
      let rank = keptRank(of: layer.path)
      let scope = attachment.scope / layer.path
      let adapter = TripletAdapter(
        a: try scope.parameter("lora_A", [rank, layer.inputSize], .normal(standardDeviation: 0.02)),
        b: try scope.parameter("lora_B", [layer.outputSize, rank], .normal(standardDeviation: 0.02)),
        values: try scope.parameter("lora_E", [rank, 1], initLoraWeights ? .zeros : .normal(standardDeviation: 0.02)),
        scale: scale(rank: rank), dropout: Float(loraDropout))
      triplets.append((layer.path, adapter))
      // A layer may have lost all of its triplets.
      if rank > 0 { try attachment.fill(layer, with: adapter) }
    }
    if rankPattern == nil { attachment.schedule = TripletBudget(triplets, budgetSettings) }
    try attachment.adoptBiases(bias, of: sites, targets: layers, saved: modulesToSave ?? [])
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  private func validate() throws(TuningError) {
    guard initR > 0 else { throw TuningError("init_r: is \(initR); a rank is at least 1") }
    guard (0..<1).contains(loraDropout) else { throw TuningError("lora_dropout: is \(loraDropout); it must be at least 0 and below 1") }
    guard deltaT > 0 else { throw TuningError("deltaT: is \(deltaT); it must be at least 1") }
    guard tinit >= 0, tfinal >= 0 else { throw TuningError("tinit: \(tinit) and tfinal \(tfinal) must not be negative") }
    for (key, beta) in [("beta1", beta1), ("beta2", beta2)] where !(beta > 0 && beta < 1) {
      throw TuningError("\(key): is \(beta); it must be above 0 and below 1")
    }
    guard orthRegWeight >= 0 else { throw TuningError("orth_reg_weight: is \(orthRegWeight); it must not be negative") }
  }

  /// Triplets that are gone leave the scale of the others as it was.
  func scale(rank: Int) -> Float { Float((loraAlpha > 0 ? loraAlpha : Double(rank)) / (Double(initR) + 1e-5)) }

  private var budgetSettings: TripletBudget.Settings {
    TripletBudget.Settings(
      targetRank: targetR, initialSteps: tinit, finalSteps: tfinal, interval: deltaT, beta1: Float(beta1), beta2: Float(beta2),
      orthogonality: Float(orthRegWeight), totalSteps: totalStep)
  }

  /// Returns the number of triplets that were kept of a layer's.
  private func keptRank(of path: String) -> Int {
    let kept = rankPattern?.mapping?.entries.first { $0.key.hasSuffix(path + ".lora_E") || $0.key == path }
    return kept?.value.sequence?.count { $0.bool == true } ?? initR
  }
}

/// `W x + b + s B (λ * (A x))`.
final class TripletAdapter: AdditiveAdapter {
  /// `[r, in]`, `[out, r]` and `[r, 1]`.
  let a: Parameter, b: Parameter, values: Parameter
  let scale: Float, dropout: Float

  init(a: Parameter, b: Parameter, values: Parameter, scale: Float, dropout: Float) {
    (self.a, self.b, self.values, self.scale, self.dropout) = (a, b, values, scale, dropout)
  }

  func change(_ x: Tensor, addingTo base: consuming Tensor, _ pass: Pass) -> Tensor {
    let narrow = scaleColumns(linear(pass.dropout(x, dropout, at: a.path), a.operand), by: values.operand)
    return linear(narrow, b.operand, scale: scale, addingTo: base)
  }
}
