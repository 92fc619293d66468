import GraftConfiguration
import GraftLayers
import GraftTensors

/// Which of a model's sites a method adapts: the keys that PEFT's injected methods share.
public struct Targets: Sendable {
  public var modules: ModuleSelection?
  public var excluded: ModuleSelection?
  public var saved: [String]
  public var layers: [Int]?
  public var layersPattern: [String]

  public init(
    modules: ModuleSelection?, excluded: ModuleSelection? = nil, saved: [String] = [], layers: [Int]? = nil, layersPattern: [String] = []
  ) {
    (self.modules, self.excluded, self.saved, self.layers, self.layersPattern) = (modules, excluded, saved, layers, layersPattern)
  }

  /// The linear layers that match, in the model's order.
  /// - Parameter isStrict: whether every name must match something, rather than any.
  /// - Throws: `TuningError` that lists what there is where nothing matches.
  public func linears(in sites: SiteCatalog, isStrict: Bool) throws(TuningError) -> [Linear] {
    try matches(in: sites, kind: "linear layer", isStrict: isStrict) { $0.linear != nil }.compactMap(\.linear)
  }

  /// The sites that match, of those that `isCandidate` lets through.
  /// - Throws: as `linears` does.
  func matches(
    in sites: SiteCatalog, kind: String, isStrict: Bool, _ isCandidate: (Site) -> Bool
  ) throws(TuningError) -> [Site] {
    let candidates = sites.sites.filter(isCandidate)
    let chosen = modules ?? .names(Self.defaultNames(in: sites))
    let isExcluded = try excluded?.matcher() ?? { _ in false }
    let isSaved: (String) -> Bool = { path in saved.contains { ModuleSelection.matches(path, name: $0) } }
    let isTarget: (Site) -> Bool
    if chosen == .allLinear {
      isTarget = { $0.linear != nil && $0.role != .languageModelHead && $0.role != .classifier }
    } else {
      let matches = try chosen.matcher()
      isTarget = { matches($0.path) }
      if case .names(let names) = chosen, isStrict {
        for name in names where !candidates.contains(where: { ModuleSelection.matches($0.path, name: name) }) {
          throw Self.nothingMatches("\"\(name)\"", kind, candidates)
        }
      }
    }
    let matched = candidates.filter { isTarget($0) && !isExcluded($0.path) && !isSaved($0.path) && isInLayers($0.path) }
    guard !matched.isEmpty else {
      switch chosen {
      case .pattern(let pattern): throw Self.nothingMatches("\"\(pattern)\"", kind, candidates)
      case .names(let names): throw Self.nothingMatches(names.joined(separator: ", "), kind, candidates)
      }
    }
    return matched
  }

  /// The parameters that match, themselves or by anything that holds them; all where no modules are chosen.
  /// - Parameter isStrict: whether every name must match something, rather than any.
  /// - Throws: `TuningError` where nothing matches.
  func parameters(in sites: SiteCatalog, isStrict: Bool) throws(TuningError) -> [Parameter] {
    func holders(_ parameter: Parameter) -> [String] {
      let components = parameter.path.split(separator: ".")
      return components.indices.map { components[...$0].joined(separator: ".") }
    }
    let isChosen = try modules?.matcher() ?? { _ in true }, isExcluded = try excluded?.matcher() ?? { _ in false }
    if isStrict, case .names(let names) = modules {
      for name in names where !sites.parameters.contains(where: { holders($0).contains { ModuleSelection.matches($0, name: name) } }) {
        throw TuningError("target_modules: \"\(name)\" matches no parameter and nothing that holds one")
      }
    }
    let matched = sites.parameters.filter { parameter in
      holders(parameter).contains(where: isChosen) && !holders(parameter).contains(where: isExcluded) && isInLayers(parameter.path)
    }
    guard !matched.isEmpty else { throw TuningError("target_modules: nothing is left to train; check exclude_modules and layers_to_transform") }
    return matched
  }

  /// PEFT's own defaults, told from the names that the model has where its type has none listed.
  static func defaultNames(in sites: SiteCatalog) -> [String] {
    if let type = sites.modelType, let names = DefaultTargets.lowRank[type] { return names }
    let ends = Set(sites.linears.compactMap { $0.path.split(separator: ".").last.map(String.init) })
    let known = [["q_proj", "v_proj"], ["query", "value"], ["q", "v"], ["c_attn"], ["query_key_value"], ["q_lin", "v_lin"]]
    return known.first { ends.isSuperset(of: $0) } ?? known[0]
  }

  private func isInLayers(_ path: String) -> Bool {
    guard let layers else { return true }
    let components = path.split(separator: ".").map(String.init)
    // PEFT: the first number that follows a component, whose name the pattern may restrict.
    for (index, component) in components.enumerated().dropFirst() {
      guard let number = Int(component), layersPattern.isEmpty || layersPattern.contains(components[index - 1]) else { continue }
      return layers.contains(number)
    }
    return false
  }

  private static func nothingMatches(_ what: String, _ kind: String, _ candidates: [Site]) -> TuningError {
    var ends: [String] = []
    for site in candidates {
      let end = site.path.split(separator: ".").last.map(String.init) ?? site.path
      if !ends.contains(end) { ends.append(end) }
    }
    let nearest = NearestName.of(what.filter { $0 != "\"" }, among: ends).map { "did you mean \($0)? " } ?? ""
    return TuningError("target_modules: \(what) matches no \(kind); \(nearest)there are \(ends.joined(separator: ", "))")
  }
}
