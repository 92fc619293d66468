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
  }

  /// - Throws: `TuningError` for a value that is out of range.
  func settings() throws(TuningError) -> Settings {
    let isParallelStock = config == .parallel || config == .scaledParallel
    let isCompact = config == .compacter || config == .compacterPlusPlus
    let factor = reductionFactor ?? (isParallelStock ? 2 : isCompact ? 32 : 16)
    guard factor > 0 else { throw TuningError("reduction_factor: is \(factor); it must be positive") }
    guard (0..<1).contains(dropout) else { throw TuningError("dropout: is \(dropout); it must be at least 0 and below 1") }
    let activationName = nonLinearity ?? (isCompact ? "gelu" : config == .doubleSequential ? "swish" : "relu")
    guard let activation = Activation(named: activationName) else { throw TuningError("non_linearity: unknown activation \"\(activationName)\"") }
    return Settings(
      afterAttention: mhAdapter ?? (config == .doubleSequential || config == .compacter), afterFeedForward: outputAdapter ?? true,
      readsSum: originalLnBefore ?? (config == .sequential || config == .compacterPlusPlus), isParallel: isParallel ?? isParallelStock,
      reductionFactor: factor,
      activation: activation, activationName: activationName,
      scaling: scaling ?? (config == .scaledParallel ? .learned : .constant(config == .parallel ? 4 : 1)),
      initialization: initWeights ?? (isParallelStock ? .mam : .bert), hypercomplex: try hypercomplexSettings())
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
      }
    return [
      "mh_adapter": .bool(settings.afterAttention), "output_adapter": .bool(settings.afterFeedForward),
      "reduction_factor": Int(exactly: factor).map(JSON.integer) ?? .number(factor), "non_linearity": .string(settings.activationName),
      "original_ln_before": .bool(settings.readsSum), "is_parallel": .bool(settings.isParallel), "scaling": scaling,
      "init_weights": .string(settings.initialization.rawValue), "dropout": .number(dropout), "leave_out": .array(leaveOut.map(JSON.integer)),
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

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let value = try? container.decode(Double.self) {
      self = .constant(value)
    } else if try container.decode(String.self) == "learned" {
      self = .learned
    } else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "unknown scaling; use a number or learned")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .constant(let value): try container.encode(value)
    case .learned: try container.encode("learned")
    }
  }
}
