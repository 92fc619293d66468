import GraftConfiguration
import GraftJSON
import GraftLayers
import GraftTensors

/// LoRA as AdapterHub keeps it, with a gate where it is asked for: `W x + b + g B A x`, or `alpha / r` in the place of the gate `g`.
///
/// Hu et al. 2022; Mao et al. 2022, "UniPELT". Keys, names and arithmetic are AdapterHub's.
public struct HubLoRA: AdapterHubMethod {
  public static let name = "HUB_LORA"
  public static let defaultLearningRate = 2e-4
  public static let card = MethodCard(
    title: "AdapterHub's LoRA", formula: "`W x + b + g B A x`, `g` a gate or `alpha / r`",
    parameters: "`r (in + out)` a target, and `in + 1` for a gate",
    seam: "linear layers", source: "Hu et al. 2022; Mao et al. 2022")

  /// The initial values of the factors.
  public enum Initialization: String, ConfigChoice {
    /// `A` uniform and `B` zero.
    case lora
    /// Both normal with deviation 0.02.
    case bert
  }

  /// True for the projections of attention, for what leads into a feed-forward, and for what leads out of it.
  package var selfattnLora = true, intermediateLora = false, outputLora = false
  /// Layers that get none.
  package var leaveOut: [Int] = []
  package var r = 8
  package var alpha = 8.0
  package var dropout = 0.0
  /// The projections of attention: q, k, v.
  package var attnMatrices = ["q", "v"]
  package var initWeights = Initialization.lora
  /// True where a gate stands in the place of `alpha / r`.
  package var useGating = false
  /// Modules that are trained and stored whole.
  public var modulesToSave: [String]?

  public init() {}

  public var isMergeable: Bool { !useGating }

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    guard r > 0 else { throw TuningError("r: is \(r); a rank is at least 1") }
    guard (0..<1).contains(dropout) else { throw TuningError("dropout: is \(dropout); it must be at least 0 and below 1") }
    let layers = try targets(in: sites)
    for layer in layers {
      let scope = attachment.root / layer.path / "loras"
      let isBert = initWeights == .bert
      let a = try scope.parameter(
        "lora_A", [r, layer.inputSize], isBert ? .normal(standardDeviation: 0.02) : .uniform(bound: 1 / Float(layer.inputSize).squareRoot()))
      let b = try scope.parameter("lora_B", [layer.outputSize, r], isBert ? .normal(standardDeviation: 0.02) : .zeros)
      let gate = useGating ? try SequenceGate(scope / "gate", width: layer.inputSize) : nil
      try attachment.fill(layer, with: GatedFactors(a: a, b: b, scale: Float(alpha) / Float(r), gate: gate, dropout: Float(dropout)))
    }
    attachment.modulePrefix = ""
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  private func targets(in sites: SiteCatalog) throws(TuningError) -> [Linear] {
    let model = sites.modelType ?? "this model"
    guard !sites.hasTwoHalves else { throw TuningError("HUB_LORA: is not available for \(model), which has two halves; use LORA") }
    let named: [String: Role] = ["q": .query, "k": .key, "v": .value]
    if let strange = attnMatrices.first(where: { named[$0] == nil }) { throw TuningError("attn_matrices: \"\(strange)\" is none of q, k, v") }
    let roles =
      (selfattnLora ? attnMatrices.compactMap { named[$0] } : []) + (intermediateLora ? [.up] : []) + (outputLora ? [Role.down] : [])
    let chosen = sites.linears.filter { layer in
      layer.role.map(roles.contains) == true && !leaveOut.contains(BottleneckAdapter.layerNumber(of: layer.path))
    }
    guard !chosen.isEmpty else {
      throw TuningError("HUB_LORA: \(model) has no separate layers for attn_matrices, intermediate_lora and output_lora as they are; use LORA")
    }
    return chosen
  }

  public func adapterHubConfiguration() -> JSON {
    [
      "architecture": "lora", "selfattn_lora": .bool(selfattnLora), "intermediate_lora": .bool(intermediateLora), "output_lora": .bool(outputLora),
      "leave_out": .array(leaveOut.map(JSON.integer)), "r": .integer(r), "alpha": Int(exactly: alpha).map(JSON.integer) ?? .number(alpha),
      "dropout": .number(dropout), "attn_matrices": .array(attnMatrices.map(JSON.string)), "composition_mode": "add",
      "init_weights": .string(initWeights.rawValue), "init_weights_seed": .null, "use_gating": .bool(useGating), "vera_d": .null, "vera_b": .null,
      "dtype": .null,
    ]
  }
}

/// Two factors beside a layer, behind a gate or a constant.
private final class GatedFactors: AdditiveAdapter {
  /// `[r, in]` and `[out, r]`.
  let a: Parameter, b: Parameter
  let scale: Float
  let gate: SequenceGate?
  let dropout: Float

  init(a: Parameter, b: Parameter, scale: Float, gate: SequenceGate?, dropout: Float) {
    (self.a, self.b, self.scale, self.gate, self.dropout) = (a, b, scale, gate, dropout)
  }

  func change(_ x: Tensor, addingTo base: consuming Tensor, _ pass: Pass) -> Tensor {
    let inner = linear(pass.dropout(x, dropout, at: a.path), a.operand)
    guard let gate else { return linear(inner, b.operand, scale: scale, addingTo: base) }
    return linear(gate(inner, reading: x, pass), b.operand, addingTo: base)
  }
}
