import GraftConfiguration
import GraftLayers
import GraftTensors

/// Low-rank adaptation in the form of a singular value decomposition: `ΔW = s / r · P diag(λ) Q`.
///
/// Zhang et al. 2023, "AdaLoRA", eq. 3. Every triplet is kept: the budget is not redistributed while training, and a file
/// whose triplets were pruned is read with the ranks that its `rank_pattern` records.
public struct AdaLoRA: TuningMethod {
  public static let name = "ADALORA"
  public static let defaultLearningRate = 2e-3

  public var initR = 12
  public var targetR = 8
  public var loraAlpha = 8.0
  public var loraDropout = 0.0
  public var tinit = 0
  public var tfinal = 0
  public var deltaT = 1
  public var beta1 = 0.85
  public var beta2 = 0.85
  public var orthRegWeight = 0.5
  public var totalStep: Int?
  public var r = 8
  public var targetModules: ModuleSelection?
  public var excludeModules: ModuleSelection?
  public var rankPattern: ConfigTree?
  public var alphaPattern = ConfigTree.mapping(ConfigMapping())
  public var layersToTransform: OneOrMany<Int>?
  public var layersPattern: OneOrMany<String>?
  public var bias = BiasTraining.none
  public var useRslora = false
  public var initLoraWeights = true
  public var modulesToSave: [String]?

  public init() {}

  enum CodingKeys: String, CodingKey {
    case initR = "init_r"
    case targetR = "target_r"
    case loraAlpha = "lora_alpha"
    case loraDropout = "lora_dropout"
    case tinit, tfinal, deltaT, beta1, beta2
    case orthRegWeight = "orth_reg_weight"
    case totalStep = "total_step"
    case r
    case targetModules = "target_modules"
    case excludeModules = "exclude_modules"
    case rankPattern = "rank_pattern"
    case alphaPattern = "alpha_pattern"
    case layersToTransform = "layers_to_transform"
    case layersPattern = "layers_pattern"
    case bias
    case useRslora = "use_rslora"
    case initLoraWeights = "init_lora_weights"
    case modulesToSave = "modules_to_save"
  }

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    guard initR > 0 else { throw TuningError("init_r: is \(initR); a rank is at least 1") }
    guard (0..<1).contains(loraDropout) else { throw TuningError("lora_dropout: is \(loraDropout); it must be at least 0 and below 1") }
    let targets = Targets(
      modules: targetModules, excluded: excludeModules, saved: modulesToSave ?? [], layers: layersToTransform?.values,
      layersPattern: layersPattern?.values ?? [])
    let layers = try targets.linears(in: sites, isStrict: !attachment.isLoading)
    for layer in layers {
      let rank = keptRank(of: layer.path)
      let scope = attachment.scope / layer.path
      let alpha = loraAlpha > 0 ? loraAlpha : Double(rank)
      let adapter = TripletAdapter(
        a: try scope.parameter("lora_A", [rank, layer.inputSize], .normal(standardDeviation: 0.02)),
        b: try scope.parameter("lora_B", [layer.outputSize, rank], .normal(standardDeviation: 0.02)),
        values: try scope.parameter("lora_E", [rank, 1], initLoraWeights ? .zeros : .normal(standardDeviation: 0.02)),
        scale: Float(alpha / (Double(rank) + 1e-5)), dropout: Float(loraDropout))
      try attachment.fill(layer, with: adapter)
    }
    try attachment.adoptBiases(bias, of: sites, targets: layers)
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  /// How many triplets PEFT kept of a layer's.
  private func keptRank(of path: String) -> Int {
    let kept = rankPattern?.mapping?.entries.first { $0.key.hasSuffix(path + ".lora_E") || $0.key == path }
    return kept?.value.sequence?.count { $0.bool == true } ?? initR
  }
}

/// `W x + b + s B (λ * (A x))`.
private final class TripletAdapter: AdditiveAdapter {
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
