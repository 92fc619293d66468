import GraftCheckpoints
import GraftLayers
import GraftTensors

/// Several adapters of one base, by name, of which none, one, or a weighted mixture is on.
///
/// Switching moves no weights: the adapters' tensors stay, and the base's are as they were, to the bit, when none is on.
public final class AdapterSet {
  private let base: SiteCatalog
  private var entries: [(name: String, delta: Delta)] = []
  /// The adapters that are on, with their weights.
  public private(set) var active: [(name: String, weight: Float)] = []
  /// The changes in place: those of the only active delta, or the mixture's.
  private var changes: Changes?

  /// A set without adapters, of one base.
  public init(on base: SiteCatalog) { self.base = base }

  /// The adapters in the order in which they were added.
  public var names: [String] { entries.map(\.name) }

  /// The adapters' deltas in the order in which they were added.
  public var deltas: [Delta] { entries.map(\.delta) }

  /// - Returns: nil for a name that was not added.
  public func delta(named name: String) -> Delta? { entries.first { $0.name == name }?.delta }

  /// Adds an adapter, which is off at first; what is on stays on.
  ///
  /// - Parameters: as for `Delta`.
  /// - Throws: `TuningError` for a name that is taken or while adapters are merged, and what making a `Delta` throws.
  @discardableResult
  public func add(
    _ name: String, _ method: some TuningMethod, from source: (any WeightSource)? = nil, seed: UInt64 = 0,
    services: AttachmentServices = AttachmentServices()
  ) throws -> Delta {
    guard delta(named: name) == nil else { throw TuningError("there is an adapter \"\(name)\" already; remove it first or choose another name") }
    try requireUnmerged()
    changes?.detach()
    defer { try? changes?.attach() }
    let delta = try Delta(method, on: base, from: source, seed: seed, services: services)
    delta.detach()
    entries.append((name, delta))
    return delta
  }

  /// Turns one adapter on, and the others off.
  /// - Throws: `TuningError` for an unknown name.
  public func activate(_ name: String) throws(TuningError) { try activate([(name, 1)]) }

  /// Turns on a mixture: what each adapter adds to a layer, times its weight. Trainable is only an adapter that is on alone.
  /// - Throws: `TuningError` for an unknown name, the same name twice, or an adapter that cannot be weighted; what is on stays on.
  public func activate(_ mixture: [(name: String, weight: Float)]) throws(TuningError) {
    try requireUnmerged()
    var parts: [(delta: Delta, weight: Float)] = []
    for (name, weight) in mixture {
      guard let delta = delta(named: name) else { throw TuningError("there is no adapter \"\(name)\"; there are \(names.joined(separator: ", "))") }
      guard !parts.contains(where: { $0.delta === delta }) else { throw TuningError("the adapter \"\(name)\" is named twice; add up its weights") }
      parts.append((delta, weight))
    }
    changes?.detach()
    do {
      let next = parts.count == 1 && parts[0].weight == 1 ? parts[0].delta.changes : try Changes(mixing: parts)
      try next.attach()
      (changes, active) = (next, mixture)
    } catch {
      try changes?.attach()
      throw error
    }
  }

  /// Turns every adapter off; they stay in the set.
  public func disable() {
    unmerge()
    changes?.detach()
    (changes, active) = (nil, [])
  }

  /// Takes an adapter out of the set; what is on is turned off where it takes part in that.
  /// - Throws: `TuningError` for an unknown name.
  public func remove(_ name: String) throws(TuningError) {
    guard let index = entries.firstIndex(where: { $0.name == name }) else { throw TuningError("there is no adapter \"\(name)\"") }
    if active.contains(where: { $0.name == name }) { disable() }
    entries.remove(at: index)
  }

  /// Folds what is on into the base's weights, one adapter after another, the sums in float32.
  /// - Throws: `TuningError` for a method that adds computation which no weights can express.
  public func merge() throws(TuningError) {
    for (name, _) in active { try delta(named: name)?.requireMergeable() }
    try changes?.merge(into: base)
  }

  /// Undoes `merge`: the base's weights are as they were, to the bit, and the adapters on again.
  public func unmerge() {
    guard let changes, changes.isMerged else { return }
    changes.unmerge()
    // Nothing else can have filled the slots that merging emptied: the set owns them.
    try? changes.attach()
  }

  private func requireUnmerged() throws(TuningError) {
    guard changes?.isMerged != true else { throw TuningError("adapters are part of the base's weights; unmerge them first") }
  }
}

extension Changes {
  /// The weighted sum of what several deltas, none of them in place, change.
  /// - Throws: `TuningError` where two of them put in one slot what cannot be added up, or that is to be weighted.
  fileprivate convenience init(mixing parts: [(delta: Delta, weight: Float)]) throws(TuningError) {
    self.init()
    var linears: [(layer: Linear, parts: [(any LinearAdapter, Float)])] = []
    var tables: [(embedding: Embedding, parts: [(any EmbeddingTableAdapter, Float)])] = []
    var adoptions: [(first: AdoptedParameter, values: Tensor)] = []
    var experts: [(projection: ExpertProjection, parts: [(any ExpertAdapter, Float)])] = []
    var others: [Seam] = []
    var untied: [(head: Linear, sites: SiteCatalog)] = []
    for (delta, weight) in parts {
      guard delta.changes.replaced.isEmpty || parts.count == 1 else {
        throw TuningError("init_lora_weights: an adapter that replaces the base is used alone; merge it, and use the others on the result")
      }
      for seam in delta.changes.seams {
        switch seam {
        case .linear(let layer, let adapter):
          let index = linears.firstIndex { $0.layer === layer } ?? linears.endIndex
          if index == linears.endIndex { linears.append((layer, [])) }
          linears[index].parts.append((adapter, weight))
        case .table(let embedding, let adapter):
          let index = tables.firstIndex { $0.embedding === embedding } ?? tables.endIndex
          if index == tables.endIndex { tables.append((embedding, [])) }
          tables[index].parts.append((adapter, weight))
        case .experts(let projection, let adapter):
          let index = experts.firstIndex { $0.projection === projection } ?? experts.endIndex
          if index == experts.endIndex { experts.append((projection, [])) }
          experts[index].parts.append((adapter, weight))
        case .prompt, .prefix, .supplement, .residual, .start, .states, .input:
          guard weight == 1 else {
            throw TuningError("\(type(of: delta.method).name): has no weight other than 1, since it adds computation; it was given \(weight)")
          }
          others.append(seam)
        }
      }
      for entry in delta.changes.untied where !untied.contains(where: { $0.head === entry.head }) { untied.append(entry) }
      for adoption in delta.changes.adopted {
        let index = adoptions.firstIndex { $0.first.parameter === adoption.parameter } ?? adoptions.endIndex
        if index == adoptions.endIndex { adoptions.append((adoption, adoption.parameter.dense())) }
        adoptions[index].values = adoptions[index].values + weight * adoption.change
      }
    }
    hold(
      linears.map { .linear($0.layer, AdapterSum<Linear>($0.parts)) } + tables.map { .table($0.embedding, AdapterSum<Embedding>($0.parts)) }
        + experts.map { .experts($0.projection, ExpertAdapterSum($0.parts)) } + others,
      adoptions.map { AdoptedParameter(key: $0.first.key, $0.first.parameter, values: $0.values, isTrained: false) },
      replaced: parts.flatMap { $0.delta.changes.replaced }, untied: untied)
  }
}
