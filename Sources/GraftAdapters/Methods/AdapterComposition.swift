import GraftCheckpoints
import GraftConfiguration
import GraftLayers
import GraftTensors

/// Several trained bottleneck adapters at the same places: AdapterFusion, and AdapterHub's stacks, averages and splits.
///
/// Pfeiffer et al. 2021, "AdapterFusion" (only what fuses is trained); Pfeiffer et al. 2020, "MAD-X" (stacks). An average is the weighted
/// sum of outputs; AdapterHub 1.2 divides it by their number once more. AdapterHub's `Parallel` gives several answers to each example: here each
/// adapter is run by itself.
public struct AdapterComposition: TuningMethod {
  public static let name = "ADAPTER_COMPOSITION"
  public static let defaultLearningRate = 5e-5
  public static let card = MethodCard(
    title: "AdapterFusion and compositions", formula: "`Σ pᵢ V uᵢ + h + x`, `p = softmax(Q z · K uᵢ)`, of bottlenecks' `uᵢ`",
    parameters: "`3 h² + 2 h` a place of a fusion, none otherwise", seam: "where halves of blocks join the residual stream",
    source: "Pfeiffer et al. 2021; Pfeiffer et al. 2020")

  /// The ways of composing adapters.
  public enum Kind: String, ConfigChoice {
    /// A trained attention over what each adds.
    case fuse
    /// One behind the other.
    case stack
    /// The weighted sum of their outputs.
    case average
    /// Each for some tokens of a sequence, in order.
    case split
    /// Each for some sequences of a batch, in order.
    case batchSplit = "batch_split"
  }

  package var composition = Kind.fuse
  /// The adapters, in order: each with its `name`, and the `path` that it is read from at first.
  package var adapters: [ConfigTree] = []
  /// The weights of an average, equal where none are given.
  package var weights: [Double] = []
  /// The tokens of a split, or the sequences of a batch's, for each adapter; the last takes what is left.
  package var splits: [Int] = []
  /// True where a fusion has a matrix of values, and is kept near what the adapters compute.
  package var value = true
  /// The probability with which a fusion's score is dropped in training.
  package var dropoutProb = 0.0
  /// Modules that are trained and stored whole.
  public var modulesToSave: [String]?

  public init() {}

  public var isMergeable: Bool { false }

  public func completed(for sites: SiteCatalog, holding stored: [String]?) throws -> AdapterComposition {
    guard adapters.count > 1 else { throw TuningError("adapters: has \(adapters.count); name two or more, each with name and path") }
    var method = self
    method.adapters = try adapters.map { tree in
      guard tree["config"] == nil else { return tree }
      let file = try Self.file(of: tree)
      var mapping = tree.mapping ?? ConfigMapping()
      guard let adapter = try MethodCatalog.decode(stored: file.configuration, from: tree["path"]?.string ?? "") as? BottleneckAdapter else {
        throw TuningError("adapters: \(tree["path"]?.string ?? "") is \(file.peftType); only ADAPTER is composed")
      }
      mapping["config"] = try ConfigTree(encoding: adapter)
      return .mapping(mapping)
    }
    return method
  }

  private static func file(of tree: ConfigTree) throws -> StoredAdapter {
    guard let path = tree["path"]?.string else { throw TuningError("adapters: \(tree["name"]?.string ?? "one") has no path to read it from") }
    return try AdapterFile.read(path).adapter()
  }

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    var places: [(layer: Linear, parts: [ComposedPart])] = []
    var names: [String] = []
    for (index, tree) in adapters.enumerated() {
      guard let name = tree["name"]?.string, !name.isEmpty, !name.contains("."), !name.contains(","), !names.contains(name) else {
        throw TuningError("adapters: the name of number \(index + 1) is missing, taken, or has a dot or a comma")
      }
      names.append(name)
      for (layer, part) in try parts(named: name, tree, of: sites, attachment) {
        let place = places.firstIndex { $0.layer === layer } ?? places.endIndex
        if place == places.endIndex { places.append((layer, [])) }
        places[place].parts.append(ComposedPart(index: index, part: part.part, input: part.input))
      }
    }
    try requireNumbers()
    var fusions: [FusionLayer] = []
    for (layer, parts) in places {
      var fusion: FusionLayer?
      if composition == .fuse {
        let scope = attachment.root / BottleneckAdapter.module(of: layer) / "adapter_fusion_layer" / names.joined(separator: ",")
        let made = try FusionLayer(
          scope, width: layer.outputSize, hasValues: value, dropout: Float(dropoutProb), isFresh: !attachment.isLoading)
        fusions.append(made)
        fusion = made
      }
      try attachment.fill(layer, with: ComposedResidual(parts, of: self, count: names.count, fusion: fusion))
    }
    if value, !fusions.isEmpty { attachment.schedule = FusionPenalty(fusions) }
    attachment.modulePrefix = ""
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  private func requireNumbers() throws(TuningError) {
    guard weights.isEmpty || weights.count == adapters.count else {
      throw TuningError("weights: has \(weights.count) for \(adapters.count) adapters; give one for each, or none")
    }
    guard composition != .split && composition != .batchSplit || splits.count == adapters.count && splits.allSatisfy({ $0 >= 0 }) else {
      throw TuningError("splits: has \(splits.count) for \(adapters.count) adapters; say how many each takes")
    }
    guard (0..<1).contains(dropoutProb) else { throw TuningError("dropout_prob: is \(dropoutProb); it must be at least 0 and below 1") }
  }

  /// An adapter's parts, frozen, with the values of its file where they are not the composition's own.
  private func parts(
    named name: String, _ tree: ConfigTree, of sites: SiteCatalog, _ attachment: Attachment
  ) throws -> [(layer: Linear, part: (part: BottleneckPart, input: BottleneckResidual.Input))] {
    let method = try (tree["config"] ?? .null).decoded(over: BottleneckAdapter(), at: ["adapters"])
    let settings = try method.settings()
    guard settings.invertible == nil, settings.isNormedAfter, settings.bypass == .beforeNorm, settings.hypercomplex == nil, !method.useGating else {
      throw TuningError("adapters: \(name) is of a kind that is not composed; seq_bn, double_seq_bn, par_bn and scaled_par_bn are")
    }
    guard !settings.isParallel || composition != .stack && composition != .fuse else {
      throw TuningError("adapters: \(name) computes beside the layer; a \(composition.rawValue) is made of adapters behind it, as seq_bn is")
    }
    try method.requireResidualStream(sites)
    let known = attachment.root.catalog.parameters.count
    let found = try method.parts(of: sites, settings, in: attachment, named: name)
    let made = attachment.root.catalog.parameters[known...]
    for parameter in made { parameter.isTrainable = false }
    if !attachment.isLoading {
      let file = try Self.file(of: tree).weights(from: name)
      for parameter in made {
        let value = try file.tensor(parameter.path.replacing(".adapters.\(name).", with: "."))
        guard value.shape == parameter.shape else {
          throw WeightError("\(parameter.path): has shape \(value.shape) in its file, not \(parameter.shape)")
        }
        parameter.assign(value.converted(to: .float32))
      }
    }
    return found.map { layer, part in
      let input: BottleneckResidual.Input =
        settings.isParallel ? .residual : settings.readsSum ? .sum(norm: method.normAfter(layer, in: sites)) : .output
      return (layer, (part, input))
    }
  }
}
