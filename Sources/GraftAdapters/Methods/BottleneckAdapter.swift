import GraftConfiguration
import GraftLayers
import GraftTensors

/// Small networks `f(z) = s up(act(down z))` where the halves of a block join the residual stream.
///
/// Houlsby et al. 2019 (`double_seq_bn`), Pfeiffer et al. 2021 (`seq_bn`), He et al. 2022 (`par_bn`, `scaled_par_bn`),
/// Mahabadi et al. 2021 (`compacter`, `compacter++`), Steitz and Roth 2024 (`adapter_plus`); keys, names and arithmetic are AdapterHub's.
public struct BottleneckAdapter: AdapterHubMethod {
  public static let name = "ADAPTER"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "bottleneck adapters", formula: "`h + s up(act(down h)) + x`", parameters: "`2 h h/f + h/f + h` a place, `f` the reduction factor",
    seam: "where halves of blocks join the residual stream", source: "Houlsby et al. 2019; Pfeiffer et al. 2021; He et al. 2022; Mahabadi et al. 2021"
  )

  /// AdapterHub's stock configurations, which the other keys refine.
  public enum Preset: String, ConfigChoice {
    /// Behind the feed-forward (Pfeiffer et al. 2021).
    case sequential = "seq_bn"
    /// Behind attention and behind the feed-forward (Houlsby et al. 2019).
    case doubleSequential = "double_seq_bn"
    /// Beside the feed-forward (He et al. 2022).
    case parallel = "par_bn"
    /// Beside the feed-forward, with a factor (He et al. 2022).
    case scaledParallel = "scaled_par_bn"
    /// Behind both halves, with weights that are sums of Kronecker products (Mahabadi et al. 2021).
    case compacter
    /// The same, behind the feed-forward alone.
    case compacterPlusPlus = "compacter++"
    /// The first two with invertible adapters before the first layer (Pfeiffer et al. 2020, "MAD-X").
    case invertible = "seq_bn_inv"
    case doubleInvertible = "double_seq_bn_inv"
    /// Behind whole layers, with a factor for each channel (Steitz and Roth 2024).
    case plus = "adapter_plus"
  }

  /// The initial values of weights.
  public enum Initialization: String, ConfigChoice {
    /// Normal with deviation 0.02, biases zero.
    case bert
    /// The last layer zero, so that nothing changes at first.
    case mam = "mam_adapter"
    /// Normal with deviation 0.01, none beyond twice that, biases zero.
    case houlsby
  }

  /// The initial values of the rules of hypercomplex layers.
  public enum RuleInitialization: String, ConfigChoice { case normal, uniform }

  package var config = Preset.sequential
  /// True for a bottleneck after attention.
  package var mhAdapter: Bool?
  /// True for a bottleneck after the feed-forward.
  package var outputAdapter: Bool?
  /// The hidden size over the bottleneck's.
  package var reductionFactor: Double?
  package var nonLinearity: String?
  /// True where it reads the sum with the residual, normed where the model norms there.
  package var originalLnBefore: Bool?
  /// True where it reads the residual instead of the half's output.
  package var isParallel: Bool?
  package var scaling: BottleneckScaling?
  /// False where nothing follows the bottleneck, not even the model's norm.
  package var originalLnAfter: Bool?
  /// The place at which the way around the bottleneck begins.
  package var residualBeforeLn: BottleneckBypass?
  /// True where each sequence takes a trained share of what the bottleneck adds.
  package var useGating = false
  package var invAdapter: InvertibleAdapter.Kind?
  package var invAdapterReductionFactor: Double?
  /// The probability with which a sequence goes around a bottleneck in training.
  package var stochasticDepth: Double?
  /// The most first layers that training goes around, their number drawn for every micro-batch.
  package var adapterDrop = 0
  /// The first layers that are gone around where nothing is trained.
  package var skipLayers = 0
  package var initWeights: Initialization?
  /// True where projections are sums of Kronecker products.
  package var phmLayer: Bool?
  /// The number of products, and the size of their first factors.
  package var phmDim = 4
  /// The rank of their second factors.
  package var phmRank = 1
  /// True where all layers share the first factors.
  package var sharedPhmRule = true
  package var phmCInit = RuleInitialization.normal
  /// The deviation of shared first factors at first.
  package var phmInitRange = 1e-4
  package var dropout = 0.0
  /// Layers that get none.
  package var leaveOut: [Int] = []
  /// Modules that are trained and stored whole.
  public var modulesToSave: [String]?

  public init() {}

  public var isMergeable: Bool { false }

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    try requireResidualStream(sites)
    let settings = try settings()
    let places = try places(in: sites, settings)
    let rule = try settings.hypercomplex.flatMap { phm in
      try phm.isRuleShared ? places.first.map { try sharedRule(phm, beside: $0.layer.path, in: attachment) } : nil
    }
    for (layer, key) in places {
      let scope = attachment.root / key
      let network = try bottleneck(scope, width: layer.outputSize, settings, sharedRule: rule, attachment)
      let scale: BottleneckPart.Scale =
        switch settings.scaling {
        case .constant(let value): .constant(Float(value))
        case .learned: .learned(try scope.parameter("scaling", [1], .ones))
        case .channel: .channel(try scope.parameter("scaling", [layer.outputSize], .ones))
        }
      let part = BottleneckPart(
        network: network, scale: scale, gate: useGating ? try SequenceGate(scope / "gate", width: layer.outputSize, startsUnbiased: true) : nil,
        stochasticDepth: Float(settings.stochasticDepth),
        skipping: LayerSkipping(layer: Self.layerNumber(of: layer.path), drawn: adapterDrop, fixed: skipLayers))
      try place(part, at: layer, settings, of: sites, attachment)
    }
    if let kind = settings.invertible { try InvertibleAdapter.attach(kind, settings, to: sites, in: attachment) }
    attachment.modulePrefix = ""
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  private func bottleneck(
    _ scope: Scope, width: Int, _ settings: Settings, sharedRule: Parameter?, _ attachment: Attachment
  ) throws -> Bottleneck {
    let narrow = max(1, Int(Double(width) / settings.reductionFactor))
    let down = scope / "adapter_down" / 0
    let up = scope / "adapter_up"
    func projection(_ scope: Scope, _ inputs: Int, _ outputs: Int, _ initializer: Initializer) throws -> BottleneckProjection {
      if let phm = settings.hypercomplex {
        return try hypercomplexProjection(scope, in: inputs, out: outputs, phm, sharedRule: sharedRule)
      }
      let weight = try scope.parameter("weight", [outputs, inputs], initializer)
      if settings.initialization == .houlsby, !attachment.isLoading {
        weight.assign(truncatedNormal(weight.shape, deviation: 0.01, RandomStream(seed: attachment.seed).split(weight.path)))
      }
      return .dense(weight: weight, bias: try scope.parameter("bias", [outputs], .zeros))
    }
    let normal = Initializer.normal(standardDeviation: 0.02)
    let isMam = settings.initialization == .mam
    return Bottleneck(
      down: try projection(down, width, narrow, isMam ? .uniform(bound: 1 / Float(width).squareRoot()) : normal),
      up: try projection(up, narrow, width, isMam ? .zeros : normal), activation: settings.activation, dropout: Float(dropout),
      path: down.path + ".weight")
  }

  /// The last layers of the halves of blocks, with AdapterHub's names for what is put there.
  private func places(in sites: SiteCatalog, _ settings: Settings) throws(TuningError) -> [(layer: Linear, key: String)] {
    let chosen = sites.sites.compactMap { site -> (layer: Linear, key: String)? in
      guard let linear = site.linear, !Self.isCrossAttention(site.path), !leaveOut.contains(Self.layerNumber(of: site.path)) else { return nil }
      switch site.role {
      case .attentionOutput where settings.afterAttention: return (linear, Self.key(for: site.path, "attention_adapters"))
      case .down where settings.afterFeedForward: return (linear, Self.key(for: site.path, "output_adapters"))
      default: return nil
      }
    }
    guard !chosen.isEmpty else {
      throw TuningError("ADAPTER: \(sites.modelType ?? "this model") has no place for one; check mh_adapter, output_adapter and leave_out")
    }
    return chosen
  }

  /// - Throws: `TuningError` for a model whose halves end in a norm or in several experts, so that no layer joins the residual stream.
  private func requireResidualStream(_ sites: SiteCatalog) throws(TuningError) {
    let ends = ["post_feedforward_layernorm", "post_mlp_layernorm", "post_self_attn_layernorm"]
    let isNormed = sites.sites.contains { site in ends.contains { site.path.hasSuffix($0) } }
    let isMixed = sites.sites.contains { $0.path.contains(".experts") }
    guard !isNormed && !isMixed else {
      let name = sites.modelType ?? "this model"
      throw TuningError("ADAPTER: is not available for \(name), whose halves of blocks do not end in one linear layer; use LORA")
    }
  }

  /// The norm that models of the original kind, such as BERT, apply to the sum.
  func normAfter(_ layer: Linear, in sites: SiteCatalog) -> Norm? {
    let norms = [
      (".dense", ".LayerNorm"), (".ffn.lin2", ".output_layer_norm"), (".attention.out_lin", ".sa_layer_norm"), (".fc2", ".final_layer_norm"),
      (".self_attn.out_proj", ".self_attn_layer_norm"),
    ]
    guard let (end, norm) = norms.first(where: { layer.path.hasSuffix($0.0) }) else { return nil }
    let path = layer.path.dropLast(end.count) + norm
    return sites.sites.first { $0.path == path }?.norm
  }

  private static func isCrossAttention(_ path: String) -> Bool {
    ["EncDecAttention", "encoder_attn", "crossattention"].contains { path.contains($0) }
  }

  /// The number of the layer that a module is in; -1 outside of layers.
  static func layerNumber(of path: String) -> Int { path.split(separator: ".").lazy.compactMap { Int($0) }.first ?? -1 }

  /// `model.layers.0.mlp.down_proj` becomes `model.layers.0.output_adapters`; BERT's and T5's layers keep them inside.
  private static func key(for path: String, _ group: String) -> String {
    let outer = path.split(separator: ".").dropLast()
    if path.hasSuffix(".dense") { return outer.joined(separator: ".") }
    let block = outer.last.flatMap { Int($0) } == nil ? outer.dropLast() : outer
    let isInside = outer.last == "SelfAttention" || outer.last == "DenseReluDense"
    return (isInside ? block : block + [Substring(group)]).joined(separator: ".")
  }
}
