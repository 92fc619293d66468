import GraftLayers

extension TuningMethod {
  /// Returns how many values the method will train on a model, known before any of them is made; nil where only making them tells.
  ///
  /// Counted as `Double`, which no product of sizes overflows.
  package func expectedParameterCount(on sites: SiteCatalog) -> Double? {
    func lowRank(_ rank: Int, _ targets: Targets) -> Double? {
      let survey = Attachment(source: nil, seed: 0, services: AttachmentServices())
      guard let layers = try? targets.linears(in: sites, for: survey) else { return nil }
      let sizes = layers.map { Double($0.inputSize) + Double($0.outputSize) }
      return Double(rank) * sizes.reduce(0, +)
    }
    return switch self {
    case let method as FullFineTuning:
      (try? method.targets.parameters(in: sites, isStrict: false))?.reduce(0) { $0 + Double($1.shape.elementCount) }
    case let method as LoRA: lowRank(method.r, method.targets)
    case let method as AdaLoRA: lowRank(method.initR, method.targets)
    case let method as LoHa: lowRank(method.r, method.targets).map { 2 * $0 }
    default: nil
    }
  }
}
