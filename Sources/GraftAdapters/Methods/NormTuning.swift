import GraftLayers

/// The norms are trained, and nothing else.
///
/// Zhao et al. 2024, "Tuning LayerNorm in attention", section 2.
public struct NormTuning: TuningMethod {
  public static let name = "LN_TUNING"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "norm tuning", formula: "the norms' own weights", parameters: "`h`, twice with biases, a norm",
    seam: "norms", source: "Zhao et al. 2024")

  /// Nil for the family's own.
  public var targetModules: ModuleSelection?
  /// Modules that stay as they are although `targetModules` names them.
  public var excludeModules: ModuleSelection?
  /// Modules that are trained and stored whole.
  public var modulesToSave: OneOrMany<String>?

  public init() {}

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    let defaults = sites.defaultTargets.norms
    guard let modules = targetModules ?? (defaults.isEmpty ? nil : .names(defaults)) else {
      throw TuningError("target_modules: there is no default for \(sites.modelType ?? "this model"); name the norms to train")
    }
    let saved = modulesToSave?.values ?? []
    let targets = Targets(modules: modules, excluded: excludeModules, saved: saved)
    for norm in try targets.matches(in: sites, kind: "norm", for: attachment, { $0.norm != nil }).compactMap(\.norm) {
      let key = "base_model.model.\(norm.path).ln_tuning_layers"
      try attachment.adopt(norm.weight, as: "\(key).weight")
      if let bias = norm.bias { try attachment.adopt(bias, as: "\(key).bias") }
    }
    try attachment.adoptModules(saved, of: sites)
  }
}
