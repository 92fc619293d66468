import GraftLayers

/// The biases are trained, and nothing else.
///
/// Ben Zaken et al. 2022, "BitFit", section 3.
public struct BitFit: TuningMethod {
  public static let name = "BITFIT"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "BitFit", formula: "the base's own biases", parameters: "all biases",
    seam: "biases", source: "Ben Zaken et al. 2022")

  /// Modules that are trained and stored whole.
  public var modulesToSave: [String]?

  public init() {}

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    let biases = sites.parameters.filter { $0.path.hasSuffix(".bias") }
    guard !biases.isEmpty else { throw TuningError("BITFIT: \(sites.modelType ?? "this model") has no biases to train; use another method") }
    for bias in biases { try attachment.adopt(bias, as: "base_model.model.\(bias.path)") }
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }
}
