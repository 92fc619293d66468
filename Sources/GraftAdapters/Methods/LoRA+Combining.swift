import GraftCheckpoints
import GraftConfiguration
import GraftJSON
import GraftLayers
import GraftTensors

/// The ways to make one of several LoRA adapters, as PEFT's `add_weighted_adapter` names them.
public enum LoRACombination: String, ConfigChoice {
  /// The weighted sums of the `A` and of the `B` factors, which need equal ranks: rough, since it mixes one adapter's `A`
  /// with another's `B`.
  case linear
  /// The factors side by side: exact, of the sum of the ranks.
  case cat
  /// The best approximation of the weighted sum of the products by a product of a given rank.
  case svd

  /// The adapter that stands for a weighted sum of LoRA adapters. Its scale is 1: weights and scales are in its factors.
  ///
  /// - Parameter rank: of the result, for `svd`; the largest of the given ones where nil.
  /// - Throws: `TuningError` for adapters of other methods, with tensors besides their factors, or of ranks that do not fit;
  ///   `ConfigError` for a malformed configuration.
  public func combine(_ adapters: [(adapter: StoredAdapter, weight: Float)], rank: Int? = nil) throws -> StoredAdapter {
    guard let first = adapters.first else { throw TuningError("there is no adapter to combine") }
    let parts = try adapters.map { try WeightedFactors($0.adapter, weight: $0.weight) }
    let ranks = parts.map(\.largestRank)
    let combined: Int
    switch self {
    case .linear:
      guard Set(ranks).count == 1 else { throw TuningError("linear: the adapters have ranks \(ranks); they must be equal, use cat or svd") }
      combined = ranks[0]
    case .cat: combined = ranks.reduce(0, +)
    case .svd: combined = rank ?? ranks.max() ?? 1
    }
    guard combined > 0 else { throw TuningError("svd_rank: is \(combined); a rank is at least 1") }

    var tensors: [StoredTensor] = []
    var modules: [String] = []
    for module in parts.flatMap(\.modules) where !modules.contains(module.path) {
      modules.append(module.path)
      let shared = parts.compactMap { part in part.modules.first { $0.path == module.path } }
      let factors = try self.factors(of: shared, rank: combined).padded(to: combined)
      tensors.append(StoredTensor(name: module.keys.a, tensor: factors.a))
      tensors.append(StoredTensor(name: module.keys.b, tensor: factors.b))
    }
    let method = Self.method(for: parts.map(\.method), rank: combined, modules: modules)
    var configuration = try ConfigTree(encoding: method).json
    configuration["peft_type"] = .string(LoRA.name)
    return StoredAdapter(
      method: first.adapter.method, peftType: LoRA.name, taskType: first.adapter.taskType, configuration: configuration, tensors: tensors)
  }

  private func factors(of parts: [WeightedFactors.Module], rank: Int) throws(TuningError) -> LowRankPart {
    switch self {
    case .linear:
      guard Set(parts.map { $0.a.shape[0] }).count == 1 else {
        throw TuningError("linear: \(parts[0].path) has ranks \(parts.map { $0.a.shape[0] }); they must be equal, use cat or svd")
      }
      // A negative weight's sign goes to one of the factors only.
      let roots = parts.map { abs($0.scale).squareRoot() }
      return LowRankPart(
        a: sum(zip(parts, roots).map { ($0.scale < 0 ? -$1 : $1) * $0.a }), b: sum(zip(parts, roots).map { $1 * $0.b }))
    case .cat: return joined(parts)
    case .svd: return joined(parts).truncated(to: rank)
    }
  }

  private func joined(_ parts: [WeightedFactors.Module]) -> LowRankPart {
    LowRankPart(a: concatenateRows(parts.map { $0.scale * $0.a }), b: concatenateRows(parts.map(\.b.transposed)).transposed)
  }

  private func sum(_ tensors: [Tensor]) -> Tensor { tensors.dropFirst().reduce(tensors[0], +) }

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
    /// The adapter's own scale times its weight.
    let scale: Float
  }

  let method: LoRA
  private(set) var modules: [Module] = []

  var largestRank: Int { modules.map { $0.a.shape[0] }.max() ?? 0 }

  init(_ adapter: StoredAdapter, weight: Float) throws {
    guard let method = try MethodCatalog.decode(stored: adapter.configuration, from: adapter.name) as? LoRA else {
      throw TuningError("\(adapter.peftType): only LORA adapters can be combined into one; merge others into the base")
    }
    guard !method.useDora else { throw TuningError("use_dora: an adapter with lengths of its own cannot be combined; merge it into the base") }
    guard !method.initLoraWeights.changesBase else {
      throw TuningError("init_lora_weights: an adapter that replaces the base, or a part of it, cannot be combined; merge it into the base")
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
        Module(path: String(path), keys: keys, a: stored.tensor.converted(to: .float32), b: b.converted(to: .float32), scale: scale * weight))
    }
    guard !modules.isEmpty else { throw TuningError("\(adapter.name): holds no factors to combine") }
  }

  private static let prefix = "base_model.model."
}
