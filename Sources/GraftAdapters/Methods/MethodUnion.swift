import GraftConfiguration
import GraftJSON
import GraftLayers

/// Several methods at once, each in its own places: mixtures such as MAM and UniPELT.
///
/// He et al. 2022, "Towards a unified view of parameter-efficient transfer learning" (MAM); Mao et al. 2022, "UniPELT". AdapterHub has it
/// for its own methods; here any two whose slots and tensors differ go together.
public struct MethodUnion: AdapterHubMethod {
  public static let name = "UNION"
  public static let defaultLearningRate = 5e-4
  public static let card = MethodCard(
    title: "a mixture of methods", formula: "that of each", parameters: "those of each", seam: "those of each",
    source: "He et al. 2022 (MAM); Mao et al. 2022 (UniPELT)")

  /// AdapterHub's stock mixtures.
  public enum Preset: String, ConfigChoice {
    /// Prefixes and scaled parallel bottlenecks.
    case mam
    /// Prefixes, bottlenecks and LoRA, each behind gates.
    case unipelt
  }

  package var config = Preset.unipelt
  /// The methods, each with its `peft_type` and keys; those of the stock mixture where empty.
  package var configs: [ConfigTree] = []
  /// Modules that are trained and stored whole.
  public var modulesToSave: [String]?

  public init() {}

  public var isMergeable: Bool { false }

  /// The methods of the mixture.
  /// - Throws: `ConfigError` for an unknown one or its keys, `TuningError` for a mixture within a mixture.
  package func parts() throws -> [any TuningMethod] {
    guard configs.isEmpty else {
      return try configs.map { tree in
        let part = try MethodCatalog.decode(recipe: tree)
        guard !(part is MethodUnion) else { throw TuningError("configs: a mixture within a mixture; write its methods into one list") }
        return part
      }
    }
    var prefix = HubPrefixTuning()
    var bottleneck = BottleneckAdapter()
    switch config {
    case .mam:
      prefix.bottleneckSize = 800
      bottleneck.config = .parallel
      return [prefix, bottleneck]
    case .unipelt:
      prefix.prefixLength = 10
      prefix.useGating = true
      bottleneck.useGating = true
      var lora = HubLoRA()
      lora.alpha = 2
      lora.useGating = true
      return [prefix, bottleneck, lora]
    }
  }

  public func completed(for sites: SiteCatalog, holding stored: [String]?) throws -> MethodUnion {
    var method = self
    method.configs = try parts().map { part in
      let part = try part.completed(for: sites, holding: stored)
      var tree = try ConfigTree(encoding: part).mapping ?? ConfigMapping()
      tree["peft_type"] = .scalar(.string(type(of: part).name))
      return .mapping(tree)
    }
    return method
  }

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    let prefix = attachment.modulePrefix
    for part in try parts() {
      attachment.modulePrefix = prefix
      try part.attach(to: sites, in: attachment)
      guard attachment.schedule == nil else {
        throw TuningError("configs: \(type(of: part).name) has work of its own while it is trained; train it alone")
      }
    }
    attachment.modulePrefix = ""
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  public func adapterHubConfiguration() throws(TuningError) -> JSON {
    var configurations: [JSON] = []
    let parts: [any TuningMethod]
    do { parts = try self.parts() } catch { throw TuningError("\(error)") }
    for part in parts {
      guard let part = part as? any AdapterHubMethod else {
        throw TuningError("configs: \(type(of: part).name) has no place in an AdapterHub directory; export it as hdf5")
      }
      configurations.append(try part.adapterHubConfiguration())
    }
    return ["architecture": "union", "configs": .array(configurations)]
  }
}
