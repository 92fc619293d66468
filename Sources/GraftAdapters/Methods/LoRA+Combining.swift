import GraftCheckpoints
import GraftConfiguration
import GraftJSON
import GraftLayers
import GraftTensors

/// The ways to make one of several LoRA adapters, as PEFT's `add_weighted_adapter` names them.
///
/// Those that end with `svd` work on the products `B A` and take the best approximation of a given rank; the others work on the `A`
/// and on the `B` factors, which need equal ranks, apart from `cat`.
public enum LoRACombination: String, ConfigChoice {
  /// The weighted sums of the `A` and of the `B` factors: rough, since it mixes one adapter's `A` with another's `B`.
  case linear
  /// The factors side by side: exact, of the sum of the ranks.
  case cat
  /// The best approximation of the weighted sum of the products by a product of a given rank.
  case svd
  /// The largest values of each adapter, summed where their sign is the elected one (Yadav et al. 2023, "TIES-Merging").
  case ties
  /// TIES of the products.
  case tiesSvd = "ties_svd"
  /// The sum of values kept at random, each divided by the part that is kept (Yu et al. 2023, "DARE").
  case dareLinear = "dare_linear"
  /// DARE before the election of signs.
  case dareTies = "dare_ties"
  /// DARE of the products.
  case dareLinearSvd = "dare_linear_svd"
  /// DARE and TIES of the products.
  case dareTiesSvd = "dare_ties_svd"
  /// The sum of the largest values of each adapter.
  case magnitudePrune = "magnitude_prune"
  /// The same of the products.
  case magnitudePruneSvd = "magnitude_prune_svd"

  /// True where a product of any rank can be asked for.
  public var takesRank: Bool { rawValue.hasSuffix("svd") }

  /// True where a part of each adapter's values is kept.
  public var takesDensity: Bool { self != .linear && self != .cat && self != .svd }

  /// True where signs are elected.
  public var electsSigns: Bool { rawValue.contains("ties") }

  /// True where the values that are kept are drawn.
  public var draws: Bool { rawValue.hasPrefix("dare") }

  /// The adapter that stands for a weighted sum of LoRA adapters. Its scale is 1: weights and scales are in its factors.
  ///
  /// - Throws: `TuningError` for adapters of other methods, with tensors besides their factors, or of ranks that do not fit, and for
  ///   a density that is missing or none; `ConfigError` for a malformed configuration.
  public func combine(
    _ adapters: [(adapter: StoredAdapter, weight: Float)], _ settings: LoRACombinationSettings = LoRACombinationSettings()
  ) throws -> StoredAdapter {
    guard let first = adapters.first else { throw TuningError("there is no adapter to combine") }
    let parts = try adapters.map { try WeightedFactors($0.adapter, weight: $0.weight) }
    let rank = try combinedRank(of: parts.map(\.largestRank), asked: settings.rank)
    var merging = try settings.merging(self)
    // PEFT draws for one module after another, in the order of the model; here it is that of the names, in which any file can be read.
    var modules: [WeightedFactors.Module] = []
    for module in parts.flatMap(\.modules) where !modules.contains(where: { $0.path == module.path }) { modules.append(module) }
    var factors: [String: LowRankPart] = [:]
    for path in modules.map(\.path).sorted() {
      factors[path] = try self.factors(of: parts.compactMap { $0[path] }, rank: rank, &merging).padded(to: rank)
    }
    let tensors = modules.flatMap { module in
      factors[module.path].map { [StoredTensor(name: module.keys.a, tensor: $0.a), StoredTensor(name: module.keys.b, tensor: $0.b)] } ?? []
    }
    let method = Self.method(for: parts.map(\.method), rank: rank, modules: modules.map(\.path))
    var configuration = try ConfigTree(encoding: method).json
    configuration["peft_type"] = .string(LoRA.name)
    return StoredAdapter(
      method: first.adapter.method, peftType: LoRA.name, taskType: first.adapter.taskType, configuration: configuration, tensors: tensors)
  }

  private func combinedRank(of ranks: [Int], asked: Int?) throws(TuningError) -> Int {
    if self == .cat { return ranks.reduce(0, +) }
    guard takesRank else {
      guard Set(ranks).count == 1 else { throw TuningError("\(rawValue): the adapters have ranks \(ranks); they must be equal, use cat or svd") }
      return ranks[0]
    }
    let rank = asked ?? ranks.max() ?? 1
    guard rank > 0 else { throw TuningError("svd_rank: is \(rank); a rank is at least 1") }
    return rank
  }

  private func factors(of parts: [WeightedFactors.Module], rank: Int, _ merging: inout TaskArithmetic) throws(TuningError) -> LowRankPart {
    switch self {
    case .cat: return joined(parts)
    case .svd: return joined(parts).truncated(to: rank)
    case _ where takesRank:
      let products = parts.map { $0.adapterScale * matrixProduct($0.b, $0.a) }
      let sum = merging.merged(products, weights: parts.map(\.weight))
      let stream = RandomStream(seed: 0).split(parts[0].path)
      return LowRankPart.principal(of: sum, rank: min(rank, sum.shape[0], sum.shape[1]), iterations: 200, stream).truncated(to: rank)
    default:
      guard Set(parts.map { $0.a.shape[0] }).count == 1 else {
        throw TuningError("\(rawValue): \(parts[0].path) has ranks \(parts.map { $0.a.shape[0] }); they must be equal, use cat or svd")
      }
      // A negative weight's sign goes to one of the factors only.
      let roots = parts.map { abs($0.scale).squareRoot() }
      let signed = zip(parts, roots).map { $0.scale < 0 ? -$1 : $1 }
      let a = merging.merged(parts.map(\.a), weights: signed)
      return LowRankPart(a: a, b: merging.merged(parts.map(\.b), weights: roots))
    }
  }

  private func joined(_ parts: [WeightedFactors.Module]) -> LowRankPart {
    LowRankPart(a: concatenateRows(parts.map { $0.scale * $0.a }), b: concatenateRows(parts.map(\.b.transposed)).transposed)
  }

  /// The first adapter's configuration with the modules of all.
  private static func method(for methods: [LoRA], rank: Int, modules: [String]) -> LoRA {
    var method = methods[0]
    if !methods.allSatisfy({ $0.selectsAsMuch(as: methods[0]) }) {
      method.targetModules = .names(modules)
      (method.excludeModules, method.layersToTransform, method.layersPattern) = (nil, nil, nil)
    }
    (method.r, method.loraAlpha, method.useRslora, method.initLoraWeights) = (rank, Double(rank), false, .kaiming)
    method.rankPattern = .mapping(ConfigMapping())
    method.alphaPattern = .mapping(ConfigMapping())
    return method
  }
}

extension LoRA {
  fileprivate func selectsAsMuch(as other: LoRA) -> Bool {
    targetModules == other.targetModules && excludeModules == other.excludeModules && layersToTransform == other.layersToTransform
      && layersPattern == other.layersPattern
  }
}

/// A stored LoRA adapter's factors by module.
private struct WeightedFactors {
  struct Module {
    let path: String
    let keys: (a: String, b: String)
    /// `[r, in]` and `[out, r]`, float32.
    let a: Tensor, b: Tensor
    /// The adapter's own scale, and its weight.
    let adapterScale: Float, weight: Float
    /// Both.
    var scale: Float { adapterScale * weight }
  }

  let method: LoRA
  private(set) var modules: [Module] = []

  subscript(path: String) -> Module? { modules.first { $0.path == path } }

  var largestRank: Int { modules.map { $0.a.shape[0] }.max() ?? 0 }

  init(_ adapter: StoredAdapter, weight: Float) throws {
    guard let method = try MethodCatalog.decode(stored: adapter.configuration, from: adapter.name) as? LoRA else {
      throw TuningError("\(adapter.peftType): only LORA adapters can be combined into one; merge others into the base")
    }
    guard !method.useDora else { throw TuningError("use_dora: an adapter with lengths of its own cannot be combined; merge it into the base") }
    guard !method.initLoraWeights.changesBase else {
      throw TuningError("init_lora_weights: an adapter that replaces the base, or a part of it, cannot be combined; merge it into the base")
    }
    if let key = method.keyUnlikePlain {
      throw TuningError("\(key): an adapter whose change is not the product of its factors cannot be combined; merge it into the base")
    }
    self.method = method
    let tensors = Dictionary(adapter.tensors.map { ($0.name, $0.tensor) }) { first, _ in first }
    for stored in adapter.tensors where !stored.name.hasSuffix(".base_layer.weight") {
      let ends = [(".lora_A.weight", ".lora_B.weight"), (".lora_embedding_A", ".lora_embedding_B")]
      if ends.contains(where: { stored.name.hasSuffix($0.1) }) { continue }
      guard let end = ends.first(where: { stored.name.hasSuffix($0.0) }), stored.name.hasPrefix(Self.prefix) else {
        throw TuningError("\(stored.name): only LoRA's factors can be combined; merge the adapter into the base")
      }
      let keys = (a: stored.name, b: String(stored.name.dropLast(end.0.count)) + end.1)
      let path = stored.name.dropFirst(Self.prefix.count).dropLast(end.0.count)
      guard let b = tensors[keys.b] else { throw TuningError("\(keys.b): is missing in \(adapter.name)") }
      let scale = try method.factors(for: String(path)).scale
      modules.append(
        Module(
          path: String(path), keys: keys, a: stored.tensor.converted(to: .float32), b: b.converted(to: .float32), adapterScale: scale,
          weight: weight))
    }
    guard !modules.isEmpty else { throw TuningError("\(adapter.name): holds no factors to combine") }
  }

  private static let prefix = "base_model.model."
}
