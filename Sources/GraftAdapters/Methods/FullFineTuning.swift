import GraftLayers

/// The base's own parameters are trained: every one, or those of some modules and layers.
public struct FullFineTuning: TargetedMethod {
  public static let name = "FULL"
  public static let defaultLearningRate = 2e-5
  public static let card = MethodCard(
    title: "full or partial fine-tuning", formula: "the base's own weights", parameters: "all, or those of the chosen modules and layers",
    seam: "everything", source: "-")

  /// Modules, parameters, or what holds some, such as a block; nil for all.
  public var targetModules: ModuleSelection?
  public var excludeModules: ModuleSelection?
  /// Layers by number; nil for all.
  public var layersToTransform: OneOrMany<Int>?
  /// The name of the list of numbered layers, such as `layers`.
  public var layersPattern: OneOrMany<String>?

  public init() {}

  public func completed(for sites: SiteCatalog, holding stored: [String]?) -> FullFineTuning { self }

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    for parameter in try targets.parameters(in: sites, isStrict: !attachment.isLoading) { try attachment.adopt(parameter, as: parameter.path) }
  }
}
