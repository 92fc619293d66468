import Foundation
import GraftConfiguration
import GraftLayers
import GraftTensors

/// Low-rank adaptation: `y = W x + b + s B A x`, with `A [r, in]` and `B [out, r]` trained and `W` frozen.
///
/// Hu et al. 2022, "LoRA", section 4.1; the scale `s` is `alpha / r`, or `alpha / sqrt(r)` with rsLoRA (Kalajdzievski 2023).
/// With `use_dora` the rows' directions and lengths are trained apart (Liu et al. 2024, "DoRA").
public struct LoRA: TargetedMethod {
  public static let name = "LORA"
  public static let defaultLearningRate = 2e-4
  public static let card = MethodCard(
    title: "LoRA, DoRA, rsLoRA, PiSSA, OLoRA", formula: "`W x + b + s B A x`", parameters: "`r (in + out)` a target; DoRA `out` more",
    seam: "linear layers, embeddings", source: "Hu et al. 2022; Liu et al. 2024; Kalajdzievski 2023; Meng et al. 2024; Büyükakyüz 2024")

  public var r = 8
  public var loraAlpha = 8.0
  public var loraDropout = 0.0
  /// Nil for the family's own, which PEFT lists by name.
  public var targetModules: ModuleSelection?
  public var excludeModules: ModuleSelection?
  public var rankPattern = ConfigTree.mapping(ConfigMapping())
  public var alphaPattern = ConfigTree.mapping(ConfigMapping())
  public var layersToTransform: OneOrMany<Int>?
  public var layersPattern: OneOrMany<String>?
  public var bias = BiasTraining.none
  public var useRslora = false
  public var useDora = false
  /// Whether the second factor has a bias.
  public var loraBias = false
  public var modulesToSave: [String]?
  /// Ids of tokens whose rows of the embedding are trained too, or such ids by the name of a table.
  public var trainableTokenIndices: TokenSelection?
  public var initLoraWeights = LoRAInitialization.kaiming

  public init() {}

  public static var recipeDefaults: LoRA {
    var method = LoRA()
    method.r = 16
    method.loraAlpha = 32
    method.targetModules = .allLinear
    return method
  }

  enum CodingKeys: String, CodingKey {
    case r
    case loraAlpha = "lora_alpha"
    case loraDropout = "lora_dropout"
    case targetModules = "target_modules"
    case excludeModules = "exclude_modules"
    case rankPattern = "rank_pattern"
    case alphaPattern = "alpha_pattern"
    case layersToTransform = "layers_to_transform"
    case layersPattern = "layers_pattern"
    case bias
    case useRslora = "use_rslora"
    case useDora = "use_dora"
    case loraBias = "lora_bias"
    case modulesToSave = "modules_to_save"
    case trainableTokenIndices = "trainable_token_indices"
    case initLoraWeights = "init_lora_weights"
  }

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    try validate()
    let matched = try targets.matches(in: sites, kind: "linear layer or embedding", isStrict: !attachment.isLoading) {
      $0.linear != nil || $0.embedding != nil
    }
    for site in matched {
      let factors = try factors(for: site.path)
      if let layer = site.linear {
        try attach(to: layer, factors, in: attachment)
      } else if let embedding = site.embedding {
        try attach(to: embedding, factors, in: attachment)
      }
    }
    try attachment.adoptBiases(bias, of: sites, targets: matched.compactMap(\.linear))
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
    try trainableTokenIndices?.attach(to: sites, in: attachment)
  }

  private func validate() throws(TuningError) {
    guard r > 0 else { throw TuningError("r: is \(r); a rank is at least 1") }
    guard (0..<1).contains(loraDropout) else { throw TuningError("lora_dropout: is \(loraDropout); it must be at least 0 and below 1") }
    if useDora, initLoraWeights.isDecomposition {
      throw TuningError("init_lora_weights: pissa and olora cannot be combined with use_dora")
    }
    if loraBias, bias != .none { throw TuningError("lora_bias: cannot be combined with bias \(bias.rawValue)") }
  }

  /// A module's own rank and scale.
  /// - Throws: `TuningError` for a pattern that is damaged, or gives no rank.
  public func factors(for path: String) throws(TuningError) -> (rank: Int, scale: Float) {
    let rank = Int(try patternValue(for: path, in: rankPattern.numbers) ?? Double(r))
    let alpha = try patternValue(for: path, in: alphaPattern.numbers) ?? loraAlpha
    guard rank > 0 else { throw TuningError("rank_pattern: \(rank) for \(path); a rank is at least 1") }
    return (rank, Float(alpha / (useRslora ? Double(rank).squareRoot() : Double(rank))))
  }

  private func attach(to layer: Linear, _ factors: (rank: Int, scale: Float), in attachment: Attachment) throws {
    let scope = attachment.scope / layer.path
    guard initLoraWeights.fits(rank: factors.rank, in: layer) else {
      throw TuningError("r: is \(factors.rank) for \(layer.path) \(layer.weight.shape), which has no decomposition of that rank")
    }
    let initial = initLoraWeights.initializers(inputs: layer.inputSize, outputs: layer.outputSize, rank: factors.rank)
    let low = LowRankFactors(
      a: try (scope / "lora_A").parameter("weight", [factors.rank, layer.inputSize], initial.a),
      b: try (scope / "lora_B").parameter("weight", [layer.outputSize, factors.rank], initial.b),
      bias: loraBias ? try (scope / "lora_B").parameter("bias", [layer.outputSize], .zeros) : nil,
      scale: factors.scale, dropout: Float(loraDropout), removed: initLoraWeights.part(of: layer, rank: factors.rank, scale: factors.scale))
    if let part = low.removed, !attachment.isLoading {
      low.a.assign(part.a)
      low.b.assign(part.b)
    }
    try attachment.ignore("\(scope.path).base_layer.weight", shape: layer.weight.shape)
    guard useDora else { return try attachment.fill(layer, with: LowRankAdapter(low)) }
    let magnitude = try scope.parameter("lora_magnitude_vector", [layer.outputSize], .ones)
    let adapter = WeightDecomposedAdapter(low, magnitude: magnitude)
    if !attachment.isLoading { magnitude.assign(adapter.rowNorms(of: layer)) }
    try attachment.fill(layer, with: adapter)
  }

  private func attach(to embedding: Embedding, _ factors: (rank: Int, scale: Float), in attachment: Attachment) throws {
    guard !useDora else { throw TuningError("use_dora: is not available for the embedding \(embedding.path); leave it out of target_modules") }
    let scope = attachment.scope / embedding.path
    let adapter = LowRankEmbeddingAdapter(
      a: try scope.parameter("lora_embedding_A", [factors.rank, embedding.entries], .zeros),
      b: try scope.parameter("lora_embedding_B", [embedding.weight.shape[1], factors.rank], .normal(standardDeviation: 1)),
      scale: factors.scale)
    try attachment.ignore("\(scope.path).base_layer.weight", shape: embedding.weight.shape)
    try attachment.fill(embedding, with: adapter)
  }
}
