import GraftConfiguration
import GraftLayers

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
    let candidates = sites.linears
    let chosen = modules ?? .names(Self.defaultNames(in: sites))
    let isExcluded = try excluded?.matcher() ?? { _ in false }
    let isSaved: (String) -> Bool = { path in saved.contains { ModuleSelection.matches(path, name: $0) } }
    let isTarget: (Linear) -> Bool
    if chosen == .allLinear {
      isTarget = { $0.role != .languageModelHead && $0.role != .classifier }
    } else {
      let matches = try chosen.matcher()
      isTarget = { matches($0.path) }
      if case .names(let names) = chosen, isStrict {
        for name in names where !candidates.contains(where: { ModuleSelection.matches($0.path, name: name) }) {
          throw Self.nothingMatches("\"\(name)\"", sites)
        }
      }
    }
    let matched = candidates.filter { isTarget($0) && !isExcluded($0.path) && !isSaved($0.path) && isInLayers($0.path) }
    guard !matched.isEmpty else {
      switch chosen {
      case .pattern(let pattern): throw Self.nothingMatches("\"\(pattern)\"", sites)
      case .names(let names): throw Self.nothingMatches(names.joined(separator: ", "), sites)
      }
    }
    return matched
  }

  /// PEFT's own defaults, told from the names that the model has.
  static func defaultNames(in sites: SiteCatalog) -> [String] {
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

  private static func nothingMatches(_ what: String, _ sites: SiteCatalog) -> TuningError {
    var ends: [String] = []
    for linear in sites.linears {
      let end = linear.path.split(separator: ".").last.map(String.init) ?? linear.path
      if !ends.contains(end) { ends.append(end) }
    }
    let nearest = NearestName.of(what.trimmingQuotes, among: ends).map { "did you mean \($0)? " } ?? ""
    return TuningError("target_modules: \(what) matches no linear layer; \(nearest)there are \(ends.joined(separator: ", "))")
  }
}

extension String {
  fileprivate var trimmingQuotes: String { filter { $0 != "\"" } }
}
