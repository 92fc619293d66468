import Foundation
import GraftConfiguration
import GraftLayers
import GraftTensors

/// Low-rank adaptation: `y = W x + b + s B A x`, with `A [r, in]` and `B [out, r]` trained and `W` frozen.
///
/// Hu et al. 2022, "LoRA", section 4.1; the scale `s` is `alpha / r`, or `alpha / sqrt(r)` with rsLoRA (Kalajdzievski 2023).
/// With `use_dora` the rows' directions and lengths are trained apart (Liu et al. 2024, "DoRA").
public struct LoRA: LayerTargetedMethod {
  public static let name = "LORA"
  public static let defaultLearningRate = 2e-4
  public static let card = MethodCard(
    title: "LoRA, DoRA, rsLoRA, PiSSA, OLoRA, MiCA, aLoRA, BD-LoRA, KaSA, VeLoRA", formula: "`W x + b + s B A x`",
    parameters: "`r (in + out)` a target; DoRA `out` more",
    seam: "linear layers, embeddings", source: "Hu et al. 2022; Liu et al. 2024; Kalajdzievski 2023; Meng et al. 2024; Büyükakyüz 2024")

  package var r = 8
  package var loraAlpha = 8.0
  package var loraDropout = 0.0
  public var targetKeys = TargetKeys()
  /// Weights of linear layers by the ends of their names, beside or instead of modules.
  package var targetParameters: [String]?
  package var rankPattern = ConfigTree.mapping(ConfigMapping())
  package var alphaPattern = ConfigTree.mapping(ConfigMapping())
  package var bias = BiasTraining.none
  package var useRslora = false
  package var useDora = false
  /// True where the second factor has a bias.
  package var loraBias = false
  /// Ids of tokens whose rows of the embedding are trained too, or such ids by the name of a table.
  package var trainableTokenIndices: TokenSelection?
  package var initLoraWeights = LoRAInitialization.kaiming
  /// The bits and the rounds of `loftq`: `{loftq_bits: 4, loftq_iter: 1}`; as in PEFT, factors do not start divided by their scale, so that
  /// `lora_alpha` equal to `r` begins nearest to the unquantized model.
  package var loftqConfig: ConfigTree?
  /// True to adapt, or save, a table and the head that shares it as one; nil is PEFT's no.
  package var ensureWeightTying: Bool?

  package var variants = LoRAVariants()

  public init() {}

  public static var recipeDefaults: LoRA {
    var method = LoRA()
    method.r = 16
    method.loraAlpha = 32
    method.targetModules = .allLinear
    return method
  }

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    try validate()
    try validateVariant(in: sites)
    if case .foreign(let name) = initLoraWeights, !attachment.isLoading {
      throw TuningError("init_lora_weights: \"\(name)\" is not available for training; use true, gaussian, pissa, olora, loftq, mica or orthogonal")
    }
    let matched = try adaptedSites(of: sites, for: attachment)
    let patterns = try Patterns(self)
    try patterns.requireUse(by: matched.map(\.path) + experts(in: sites).map(\.path), in: attachment)
    for site in matched {
      if try attachTied(site, patterns, of: sites, in: attachment) { continue }
      let factors = try patterns.factors(for: site.path)
      if let layer = site.linear {
        try attach(to: layer, factors, in: attachment)
      } else if let embedding = site.embedding {
        guard initLoraWeights != .loftq || attachment.isLoading else {
          throw TuningError("init_lora_weights: loftq is for linear layers, and \(site.path) is a table; leave it out of target_modules")
        }
        try attach(to: embedding, factors, in: attachment)
      }
    }
    try attach(to: experts(in: sites), in: attachment)
    try attachment.adoptBiases(bias, of: sites, targets: matched.compactMap(\.linear), saved: modulesToSave ?? [])
    try attachment.adoptModules(modulesToSave ?? [], of: sites, ensuresTying: ensureWeightTying ?? false)
    try trainableTokenIndices?.attach(to: sites, in: attachment)
  }

  /// The layers and tables that `target_modules` and `target_parameters` pick.
  private func adaptedSites(of sites: SiteCatalog, for attachment: Attachment) throws(TuningError) -> [Site] {
    let parameters = targetParameters ?? []
    func weights(_ site: Site) -> [String] { ([site.path] + sites.otherPaths(site.path)).map { $0 + ".weight" } }
    let named = sites.sites.filter { site in
      site.linear != nil && weights(site).contains { path in parameters.contains { ModuleSelection.matches(path, name: $0) } }
    }
    let paths = named.flatMap(weights) + experts(in: sites).map(\.path)
    for name in parameters where !paths.contains(where: { ModuleSelection.matches($0, name: name) }) {
      try attachment.object(
        "target_parameters: \"\(name)\" matches no weight of a linear layer or of experts; write it as q_proj.weight or experts.down_proj")
    }
    let isAlone = targetModules == nil || targetModules == .names([])
    if !parameters.isEmpty, isAlone {
      guard !paths.isEmpty else { throw TuningError("target_parameters: \(parameters.joined(separator: ", ")) matches nothing") }
      return named
    }
    let matched = try targets.matches(in: sites, kind: "linear layer or embedding", for: attachment) { $0.linear != nil || $0.embedding != nil }
    return sites.sites.filter { site in (matched + named).contains { $0.path == site.path } }
  }

  private func validate() throws(TuningError) {
    guard r > 0 else { throw TuningError("r: is \(r); a rank is at least 1") }
    guard (0..<1).contains(loraDropout) else { throw TuningError("lora_dropout: is \(loraDropout); it must be at least 0 and below 1") }
    if useDora, initLoraWeights.isDecomposition {
      throw TuningError("init_lora_weights: pissa and olora cannot be combined with use_dora")
    }
    if targetParameters?.isEmpty == false, useDora || loraDropout > 0 || loraBias {
      throw TuningError("target_parameters: cannot be combined with use_dora, lora_dropout or lora_bias; name the modules in target_modules")
    }
    if initLoraWeights == .orthogonal, r % 2 != 0 { throw TuningError("r: is \(r); init_lora_weights orthogonal needs an even rank") }
    if loraBias, bias != .none { throw TuningError("lora_bias: cannot be combined with bias \(bias.rawValue)") }
  }

  /// A module's own rank and scale.
  /// - Throws: `TuningError` for a pattern that is damaged, or gives no rank.
  public func factors(for path: String) throws(TuningError) -> (rank: Int, scale: Float) { try Patterns(self).factors(for: path) }

  /// The ranks and alphas of modules.
  struct Patterns {
    let method: LoRA
    let ranks: PatternTable, alphas: PatternTable

    init(_ method: LoRA) throws(TuningError) {
      self.method = method
      ranks = try PatternTable("rank_pattern", method.rankPattern.numbers)
      alphas = try PatternTable("alpha_pattern", method.alphaPattern.numbers)
    }

    func requireUse(by paths: [String], in attachment: Attachment) throws(TuningError) {
      try ranks.requireUse(by: paths, in: attachment)
      try alphas.requireUse(by: paths, in: attachment)
    }

    func factors(for path: String) throws(TuningError) -> (rank: Int, scale: Float) {
      let rank = Int(exactly: (ranks[path] ?? Double(method.r)).rounded(.towardZero)) ?? 0
      guard rank > 0 else { throw TuningError("rank_pattern: \(ranks[path] ?? 0) for \(path); a rank is at least 1") }
      let alpha = alphas[path] ?? method.loraAlpha
      return (rank, Float(alpha / (method.useRslora ? Double(rank).squareRoot() : Double(rank))))
    }
  }

  private func attach(to layer: Linear, _ factors: (rank: Int, scale: Float), in attachment: Attachment) throws {
    if let variant = try variants.chosen()?.variant {
      return try attachment.fill(layer, with: variant.adapter(for: layer, rank: factors.rank, scale: factors.scale, of: self, in: attachment))
    }
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
    if initLoraWeights == .minor { low.b.isTrainable = false }
    if !attachment.isLoading {
      low.removed.map { low.a.assign($0.a) }
      low.removed.map { low.b.assign($0.b) }
      initLoraWeights.start(low, of: layer, RandomStream(seed: attachment.seed).split(layer.path))
    }
    if initLoraWeights == .loftq { try LoftQ(loftqConfig).prepare(layer, low, in: attachment) }
    try attachment.ignore("\(scope.path).base_layer.weight", shape: layer.weight.shape)
    guard useDora else { return try attachment.fill(layer, with: LowRankAdapter(low)) }
    let magnitude = try scope.parameter("lora_magnitude_vector", [layer.outputSize], .ones)
    let adapter = WeightDecomposedAdapter(low, magnitude: magnitude)
    if !attachment.isLoading { magnitude.assign(adapter.rowNorms(of: layer)) }
    try attachment.fill(layer, with: adapter)
  }

}
