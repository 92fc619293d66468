import GraftConfiguration
import GraftLayers
import GraftTensors

/// A choice of a model's sites by the keys that PEFT's injected methods share, read as its `check_target_module_exists` does.
public struct Targets: Sendable {
  /// The modules to adapt; nil for the family's own.
  public var modules: ModuleSelection?
  /// Modules that stay as they are although they are named.
  public var excluded: ModuleSelection?
  /// Modules that are trained and stored whole, and take no adapter.
  public var saved: [String]
  /// The numbers of the layers to adapt; nil for all.
  public var layers: [Int]?
  /// The names before which a layer's number stands.
  public var layersPattern: [String]

  /// A choice by PEFT's targeting keys.
  public init(
    modules: ModuleSelection?, excluded: ModuleSelection? = nil, saved: [String] = [], layers: [Int]? = nil, layersPattern: [String] = []
  ) {
    (self.modules, self.excluded, self.saved, self.layers, self.layersPattern) = (modules, excluded, saved, layers, layersPattern)
  }

  /// The linear layers that match, in the model's order.
  ///
  /// - Parameter attachment: says by `isLoading` that it is not to be trained; otherwise every name must match something, rather than any.
  /// - Throws: `TuningError` that lists what there is where nothing matches.
  public func linears(in sites: SiteCatalog, for attachment: Attachment) throws(TuningError) -> [Linear] {
    try matches(in: sites, kind: "linear layer", for: attachment) { $0.linear != nil }.compactMap(\.linear)
  }

  /// The sites that match, of those that `isCandidate` lets through.
  ///
  /// - Throws: `TuningError` that lists what there is where nothing matches and, where the method is to be trained, for every entry
  ///   that matches nothing.
  func matches(
    in sites: SiteCatalog, kind: String, for attachment: Attachment, _ isCandidate: (Site) -> Bool
  ) throws(TuningError) -> [Site] {
    let candidates = sites.sites.filter(isCandidate)
    let paths = candidates.map(\.path)
    let given: ModuleSelection
    if let modules { given = modules } else { given = .names(try Self.defaultNames(in: sites)) }
    let chosen = given.isAllLinear ? .names(try allLinear(in: sites)) : given
    if case .pattern = chosen, layers != nil {
      throw TuningError("layers_to_transform: goes with a list of target_modules, not with a pattern; write the layers into the pattern")
    }
    let rule = try TargetRule(self, chosen: chosen, unasked: attachment.unaskedModules(of: sites))
    let isNamed = try chosen.matcher()
    guard paths.contains(where: isNamed) else { throw TuningError(Self.objection(to: chosen.entries.map(\.text), kind, paths)) }
    for (text, entry) in chosen.entries {
      if try !paths.contains(where: entry.matcher()) { try attachment.object(Self.objection(to: [text], kind, paths)) }
    }
    let modulePaths = sites.modulePaths
    for (text, entry) in excluded?.entries ?? [] {
      if try modulePaths.contains(where: entry.matcher("exclude_modules")) { continue }
      try attachment.object("exclude_modules: \"\(text)\" matches no module; \(ModuleNames.advice(for: text, among: sites.sites.map(\.path)))")
    }
    if let layers { try requireLayers(layers, rule.layers, of: paths.filter { isNamed($0) && !rule.isExcluded($0) }, attachment) }
    let matched = candidates.filter { rule.isTarget($0.path) }
    guard !matched.isEmpty else {
      throw TuningError(
        "target_modules: nothing is left of \(chosen.entries.map(\.text).joined(separator: ", ")); check exclude_modules, modules_to_save and layers_to_transform"
      )
    }
    return matched
  }

  /// The list that stands for every linear layer, so that PEFT's matching over all modules of the base gives exactly these.
  ///
  /// Left out are the output head, routers of experts, and what is saved whole.
  /// - Throws: `TuningError` where nothing is left.
  func allLinear(in sites: SiteCatalog) throws(TuningError) -> [String] {
    let rule = try TargetRule(self, chosen: .names([]), unasked: sites.unaskedModules { _ in true })
    let kept: [Role?] = [.languageModelHead, .classifier, .router]
    let chosen = sites.sites.filter { site in
      site.linear != nil && !kept.contains(site.role) && !rule.isExcluded(site.path) && rule.isInLayers(site.path)
    }
    guard !chosen.isEmpty else { throw TuningError("target_modules: all-linear leaves nothing; check exclude_modules and layers_to_transform") }
    return ModuleNames.list(of: chosen.map(\.path), apartFrom: sites.modulePaths.filter { !rule.isExcluded($0) && rule.isInLayers($0) })
  }

  /// The parameters that match, themselves or by anything that holds them; all where no modules are chosen.
  /// - Parameter isStrict: true where every name must match something, rather than any.
  /// - Throws: `TuningError` where nothing matches.
  func parameters(in sites: SiteCatalog, isStrict: Bool) throws(TuningError) -> [Parameter] {
    func holders(_ parameter: Parameter) -> [String] {
      let components = parameter.path.split(separator: ".")
      return components.indices.map { components[...$0].joined(separator: ".") }
    }
    let isChosen = try modules?.matcher() ?? { _ in true }
    let isExcluded = try excluded?.matcher("exclude_modules") ?? { _ in false }
    let layers = try LayerRule(layers, layersPattern)
    if isStrict, case .names(let names) = modules {
      for name in names where !sites.parameters.contains(where: { holders($0).contains { ModuleSelection.matches($0, name: name) } }) {
        throw TuningError("target_modules: \"\(name)\" matches no parameter and nothing that holds one")
      }
    }
    let matched = sites.parameters.filter { parameter in
      holders(parameter).contains(where: isChosen) && !holders(parameter).contains(where: isExcluded) && layers.contains(parameter.path)
    }
    guard !matched.isEmpty else { throw TuningError("target_modules: nothing is left to train; check exclude_modules and layers_to_transform") }
    return matched
  }

  /// The ends of the paths of the layers that LoRA and its relatives adapt where nothing names them.
  /// - Throws: `TuningError` for a model without such layers.
  static func defaultNames(in sites: SiteCatalog) throws(TuningError) -> [String] {
    let roles = sites.defaultTargets.projections(among: Set(sites.linears.compactMap(\.role)))
    let names = sites.names(of: roles)
    guard !names.isEmpty else {
      throw TuningError("target_modules: there is no default for \(sites.modelType ?? "this model"); name the layers to adapt")
    }
    return names
  }

  /// Objects to numbers beyond the model's layers.
  private func requireLayers(_ layers: [Int], _ rule: LayerRule, of paths: [String], _ attachment: Attachment) throws(TuningError) {
    let present = Set(paths.compactMap { rule.layer(of: $0) })
    guard !present.isEmpty else {
      throw TuningError("layers_pattern: \(layersPattern.joined(separator: ", ")) stands before no layer's number in \(paths.first ?? "the targets")")
    }
    for layer in layers where !present.contains(layer) {
      let found = present.sorted().map(String.init).joined(separator: ", ")
      try attachment.object("layers_to_transform: \(layer) is none of the layers with such modules; they are \(found)")
    }
  }

  private static func objection(to names: [String], _ kind: String, _ paths: [String]) -> String {
    let quoted = names.map { "\"\($0)\"" }.joined(separator: ", ")
    return "target_modules: \(quoted) matches no \(kind); \(ModuleNames.advice(for: names.first ?? "", among: paths))"
  }
}
