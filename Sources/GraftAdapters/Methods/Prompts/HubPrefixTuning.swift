import GraftConfiguration
import GraftJSON
import GraftLayers
import GraftTensors

/// Keys and values before those of every sequence, as AdapterHub keeps them: made by a network, whose tensors are the file's.
///
/// Li and Liang 2021, "Prefix-tuning", section 4.3; the gates are those of Mao et al. 2022, "UniPELT". Tokens keep their positions.
public struct HubPrefixTuning: AdapterHubMethod {
  public static let name = "HUB_PREFIX"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "AdapterHub's prefix tuning", formula: "keys and values before those of the tokens, made by a network",
    parameters: "`V h + m (h + 1) + 2 L h (m + 1)`, `m` the network's middle", seam: "attention of every layer", source: "Li and Liang 2021")

  /// True where the keys and values themselves are trained, rather than a network that makes them.
  package var flat = false
  /// The number of virtual tokens.
  package var prefixLength = 30
  /// The network's middle.
  package var bottleneckSize = 512
  package var nonLinearity = "tanh"
  package var dropout = 0.0
  /// Layers that get none.
  package var leaveOut: [Int] = []
  /// True where each sequence takes a trained share of the keys and values.
  package var useGating = false
  /// True where keys and values have the same share.
  package var sharedGating = true
  /// Modules that are trained and stored whole.
  public var modulesToSave: [String]?

  public init() {}

  public var isMergeable: Bool { false }

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    guard (0..<1).contains(dropout) else { throw TuningError("dropout: is \(dropout); it must be at least 0 and below 1") }
    let shape = try PromptShape(prefixLength, submodules: 1, in: sites)
    let attentions = try attentions(in: sites)
    let width = attentions[0].options.keyWidth
    let base = attentions[0].path.split(separator: ".").first.map(String.init) ?? ""
    let scope = attachment.root / base / "prefix_tuning" / "prefix_tunings" / "self_prefix"
    let rate = Float(dropout)
    let part = try table(scope, width: width, columns: 2 * attentions.count * width)
    for (index, attention) in attentions.enumerated() {
      let start = 2 * index * width
      let gates = attachment.root / Self.module(of: attention) / "prefix_tuning" / "prefix_gates"
      let gate = useGating ? try SequenceGate(gates, width: attention.output.outputSize, count: sharedGating ? 1 : 2) : nil
      func drop(_ columns: Range<Int>, _ place: String) -> (Pass) -> Tensor { { $0.dropout(part(columns), rate, at: attention.path + place) } }
      let prefix = GatedPrefix(
        count: prefixLength, keys: drop(start..<start + width, ".prefix.keys"), values: drop(start + width..<start + 2 * width, ".prefix.values"),
        gate: gate)
      try attachment.fill(attention, with: prefix)
    }
    try attachment.fill(shape.embedding, with: VirtualPlaces(count: prefixLength, movesTokens: false))
    attachment.modulePrefix = ""
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  private func attentions(in sites: SiteCatalog) throws(TuningError) -> [Attention] {
    let model = sites.modelType ?? "this model"
    guard !sites.hasTwoHalves else { throw TuningError("HUB_PREFIX: is not available for \(model), which has two halves; use PREFIX_TUNING") }
    let all = sites.sites.compactMap(\.attention).filter { $0.place == .alone }
    let chosen = all.filter { !leaveOut.contains(BottleneckAdapter.layerNumber(of: $0.path)) }
    let isWhole = chosen.allSatisfy { $0.options.keyWidth == $0.options.queryWidth && $0.options.valueWidth == $0.options.keyWidth }
    guard let first = chosen.first, isWhole, chosen.allSatisfy({ $0.options.keyWidth == first.options.keyWidth }) else {
      throw TuningError("HUB_PREFIX: \(model) has no attention with as many keys and values as queries; use PREFIX_TUNING")
    }
    return chosen
  }

  /// The module of an attention's projections, beside which AdapterHub keeps the gates.
  private static func module(of attention: Attention) -> String {
    let layer =
      switch attention.projection {
      case .separate(let query, _, _): query
      case .fused(let layer), .fusedByHead(let layer): layer
      }
    return layer.path.split(separator: ".").dropLast().joined(separator: ".")
  }

  /// Some columns of the table `[prefixLength, columns]`: layer after layer its keys, then its values.
  private func table(_ scope: Scope, width: Int, columns: Int) throws -> (Range<Int>) -> Tensor {
    guard !flat else {
      let values = try scope.parameter("control_trans", [prefixLength * columns], .normal(standardDeviation: 1))
      let count = prefixLength
      return { values.operand.reshaped(to: [count, columns]).columns($0) }
    }
    guard let activation = Activation(named: nonLinearity) else { throw TuningError("non_linearity: unknown activation \"\(nonLinearity)\"") }
    guard bottleneckSize > 0 else { throw TuningError("bottleneck_size: is \(bottleneckSize); it must be positive") }
    let words = try (scope / "wte").parameter("weight", [prefixLength, width], .normal(standardDeviation: 1))
    let inner = try PromptLayer(scope / "control_trans" / 0, in: width, out: bottleneckSize)
    let outer = try PromptLayer(scope / "control_trans" / 2, in: bottleneckSize, out: columns)
    return { outer(activate(inner(words.operand), activation), outputs: $0) }
  }

  public func adapterHubConfiguration() -> JSON {
    [
      "architecture": "prefix_tuning", "encoder_prefix": true, "cross_prefix": true, "leave_out": .array(leaveOut.map(JSON.integer)),
      "flat": .bool(flat), "prefix_length": .integer(prefixLength), "bottleneck_size": .integer(bottleneckSize),
      "non_linearity": .string(nonLinearity), "dropout": .number(dropout), "use_gating": .bool(useGating), "shared_gating": .bool(sharedGating),
      "init_weights_seed": .null,
    ]
  }
}

/// One layer's keys and values, of which each sequence takes a share where there is a gate.
private final class GatedPrefix: AttentionPrefix {
  let virtualTokenCount: Int
  private let keys: (Pass) -> Tensor, values: (Pass) -> Tensor
  private let gate: SequenceGate?

  init(count: Int, keys: @escaping (Pass) -> Tensor, values: @escaping (Pass) -> Tensor, gate: SequenceGate?) {
    (virtualTokenCount, self.keys, self.values, self.gate) = (count, keys, values, gate)
  }

  func keysAndValues(_ pass: Pass) -> (keys: Tensor, values: Tensor) { (keys(pass), values(pass)) }

  func shares(of x: Tensor, _ pass: Pass) -> (keys: Tensor, values: Tensor)? {
    guard let found = gate?.shares(of: x, pass) else { return nil }
    let last = found.shape.columns - 1
    return (found.columns(0..<1), found.columns(last..<last + 1))
  }
}
