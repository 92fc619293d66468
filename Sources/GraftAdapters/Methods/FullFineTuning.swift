import GraftLayers

/// Every parameter of the base is trained.
public struct FullFineTuning: TuningMethod {
  public static let name = "FULL"
  public static let defaultLearningRate = 2e-5

  public init() {}

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    for parameter in sites.parameters { try attachment.adopt(parameter, as: parameter.path) }
  }
}
