import GraftConfiguration
import GraftLayers
import GraftTensors

/// Learned scales of activations: `y = l * (W x + b)`, or `y = W (l * x) + b` in feed-forward layers.
///
/// Liu et al. 2022, "Few-shot parameter-efficient fine-tuning is better and cheaper than in-context learning", section 3.3.
public struct IA3: TargetedMethod, SpelledKeys {
  public static let name = "IA3"
  public static let defaultLearningRate = 5e-3
  public static let card = MethodCard(
    title: "(IA)³", formula: "`l * (W x + b)`, or `W (l * x) + b` in feed-forward layers", parameters: "`out`, or `in`, a target",
    seam: "linear layers", source: "Liu et al. 2022")

  /// Nil for the family's own.
  public var targetModules: ModuleSelection?
  public var excludeModules: ModuleSelection?
  /// The targets that are scaled at their input; nil for the family's own.
  package var feedforwardModules: ModuleSelection?
  public var modulesToSave: [String]?
  package var initIA3Weights = true

  public init() {}

  public static let keySpellings = ["initIA3Weights": "init_ia3_weights"]

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    let defaults = sites.defaultTargets
    guard let modules = targetModules ?? (defaults.scaled.isEmpty ? nil : .names(sites.names(of: defaults.scaled))) else {
      throw TuningError("target_modules: there is no default for \(sites.modelType ?? "this model"); name the layers to scale")
    }
    let feedForward = feedforwardModules ?? (targetModules == nil ? .names(sites.names(of: defaults.scaledInputs)) : nil)
    let isFeedForward = try Self.feedForwardMatcher(feedForward)
    let targets = Targets(modules: modules, excluded: excludeModules, saved: modulesToSave ?? [])
    let start: Initializer = initIA3Weights ? .ones : .normal(standardDeviation: 1)
    let layers = try targets.linears(in: sites, for: attachment)
    for (text, entry) in feedforwardModules?.entries ?? [] {
      let isNamed = try Self.feedForwardMatcher(entry)
      if layers.contains(where: { isNamed($0.path) }) { continue }
      try attachment.object("feedforward_modules: \"\(text)\" matches no target; \(ModuleNames.advice(for: text, among: layers.map(\.path)))")
    }
    for layer in layers {
      let scalesInput = isFeedForward(layer.path)
      let shape: Shape = scalesInput ? [1, layer.inputSize] : [layer.outputSize, 1]
      let scales = try (attachment.scope / layer.path).parameter("ia3_l", shape, start)
      try attachment.fill(layer, with: ScalingAdapter(scales, scalesInput: scalesInput))
    }
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  /// PEFT matches these by the plain end of a path.
  private static func feedForwardMatcher(_ selection: ModuleSelection?) throws(TuningError) -> (String) -> Bool {
    guard case .names(let names) = selection else { return try selection?.matcher("feedforward_modules") ?? { _ in false } }
    return { path in names.contains { path.hasSuffix($0) } }
  }
}

/// One factor for each output, or for each input, of a linear layer.
final class ScalingAdapter: LinearAdapter {
  let scales: Parameter
  let scalesInput: Bool

  init(_ scales: Parameter, scalesInput: Bool) { (self.scales, self.scalesInput) = (scales, scalesInput) }

  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor {
    scalesInput ? base.plain(scaleColumns(x, by: scales.operand)) : scaleColumns(base.plain(x), by: scales.operand)
  }

  func merge(into base: Linear) throws(TuningError) {
    try base.merge { scalesInput ? scaleColumns($0, by: scales.value) : scaleColumns($0.transposed, by: scales.value).transposed }
    if !scalesInput, let bias = base.bias {
      bias.assign(bias.dense() * scales.value.reshaped(to: bias.shape))
    }
  }
}
