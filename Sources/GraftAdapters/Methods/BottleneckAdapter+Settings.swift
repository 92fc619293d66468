import GraftJSON
import GraftLayers
import GraftTensors

extension BottleneckAdapter {
  /// Every key with a value: its own, or the stock configuration's.
  struct Settings {
    var afterAttention: Bool, afterFeedForward: Bool, readsSum: Bool, isParallel: Bool
    var reductionFactor: Double
    var activation: Activation, activationName: String
    var scaling: BottleneckScaling
    var initialization: Initialization
    var hypercomplex: HypercomplexSettings?
    var isNormedAfter: Bool, bypass: BottleneckBypass
    var stochasticDepth: Double
    var invertible: InvertibleAdapter.Kind?, invertibleFactor: Double
  }

  /// - Throws: `TuningError` for a value that is out of range.
  func settings() throws(TuningError) -> Settings {
    let isParallelStock = config == .parallel || config == .scaledParallel
    let isCompact = config == .compacter || config == .compacterPlusPlus
    let isDouble = config == .doubleSequential || config == .doubleInvertible
    let isPlus = config == .plus
    let factor = reductionFactor ?? (isParallelStock ? 2 : isCompact ? 32 : isPlus ? 96 : 16)
    guard factor > 0 else { throw TuningError("reduction_factor: is \(factor); it must be positive") }
    guard (0..<1).contains(dropout) else { throw TuningError("dropout: is \(dropout); it must be at least 0 and below 1") }
    let depth = stochasticDepth ?? (isPlus ? 0.1 : 0)
    guard (0..<1).contains(depth) else { throw TuningError("stochastic_depth: is \(depth); it must be at least 0 and below 1") }
    for (key, value) in [("adapter_drop", adapterDrop), ("skip_layers", skipLayers)] where value < 0 {
      throw TuningError("\(key): is \(value); a number of layers is not negative")
    }
    let activationName = nonLinearity ?? (isCompact || isPlus ? "gelu" : isDouble ? "swish" : "relu")
    guard let activation = Activation(named: activationName) else { throw TuningError("non_linearity: unknown activation \"\(activationName)\"") }
    return Settings(
      afterAttention: mhAdapter ?? (isDouble || config == .compacter), afterFeedForward: outputAdapter ?? true,
      readsSum: originalLnBefore ?? [.sequential, .invertible, .compacterPlusPlus, .plus].contains(config), isParallel: isParallel ?? isParallelStock,
      reductionFactor: factor,
      activation: activation, activationName: activationName,
      scaling: scaling ?? (config == .scaledParallel ? .learned : isPlus ? .channel : .constant(config == .parallel ? 4 : 1)),
      initialization: initWeights ?? (isParallelStock ? .mam : isPlus ? .houlsby : .bert), hypercomplex: try hypercomplexSettings(),
      isNormedAfter: originalLnAfter ?? !isPlus, bypass: residualBeforeLn ?? (isPlus ? .behindNorm : .beforeNorm), stochasticDepth: depth,
      invertible: invAdapter ?? (config == .invertible || config == .doubleInvertible ? .nice : nil),
      invertibleFactor: invAdapterReductionFactor ?? 2)
  }

  /// The keys that AdapterHub knows, each with its value.
  /// - Throws: `TuningError` for a value that is out of range.
  public func adapterHubConfiguration() throws(TuningError) -> JSON {
    let settings = try settings()
    let factor = settings.reductionFactor
    let scaling: JSON =
      switch settings.scaling {
      case .constant(let value): .number(value)
      case .learned: "learned"
      case .channel: "channel"
      }
    let left = leaveOut + (0..<skipLayers).filter { !leaveOut.contains($0) }
    return [
      "mh_adapter": .bool(settings.afterAttention), "output_adapter": .bool(settings.afterFeedForward),
      "reduction_factor": Int(exactly: factor).map(JSON.integer) ?? .number(factor), "non_linearity": .string(settings.activationName),
      "original_ln_before": .bool(settings.readsSum), "is_parallel": .bool(settings.isParallel), "scaling": scaling,
      "init_weights": .string(settings.initialization.rawValue), "dropout": .number(dropout), "leave_out": .array(left.map(JSON.integer)),
      "original_ln_after": .bool(settings.isNormedAfter), "residual_before_ln": settings.bypass.json, "use_gating": .bool(useGating),
      "stochastic_depth": .number(settings.stochasticDepth), "inv_adapter": settings.invertible.map { .string($0.rawValue) } ?? .null,
      "inv_adapter_reduction_factor": settings.invertible.map { _ in .number(settings.invertibleFactor) } ?? .null,
      "phm_layer": .bool(settings.hypercomplex != nil), "phm_dim": .integer(phmDim), "phm_rank": .integer(phmRank),
      "shared_phm_rule": .bool(sharedPhmRule), "phm_c_init": .string(phmCInit.rawValue), "phm_init_range": .number(phmInitRange),
    ]
  }
}

/// The factor of a bottleneck's output.
public enum BottleneckScaling: Codable, Sendable, Hashable {
  /// The same throughout.
  case constant(Double)
  /// One number for each adapter, which is trained and starts at 1.
  case learned
  /// One for each channel of it, which are trained and start at 1.
  case channel

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let value = try? container.decode(Double.self) {
      self = .constant(value)
    } else {
      switch try container.decode(String.self) {
      case "learned": self = .learned
      case "channel": self = .channel
      default: throw DecodingError.dataCorruptedError(in: container, debugDescription: "unknown scaling; use a number, learned or channel")
      }
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .constant(let value): try container.encode(value)
    case .learned: try container.encode("learned")
    case .channel: try container.encode("channel")
    }
  }
}
