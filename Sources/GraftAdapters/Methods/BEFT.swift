import GraftConfiguration
import GraftLayers
import GraftTensors

/// Trained biases of chosen layers: `y = W x + b + β`.
///
/// "BEFT: bias-efficient fine-tuning of language models" (arXiv:2509.15974): of queries, keys and values, those of the values do most.
public struct BEFT: TargetedMethod {
  public static let name = "BEFT"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "BEFT", formula: "`W x + b + β`", parameters: "`out` a target", seam: "linear layers", source: "arXiv:2509.15974")

  public var targetModules: ModuleSelection?
  public var modulesToSave: [String]?
  package var initWeights = true

  public init() {}

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    var targets = targets
    if targets.modules == nil, !sites.names(of: [.value]).isEmpty { targets.modules = .names(sites.names(of: [.value])) }
    for layer in try targets.linears(in: sites, for: attachment) {
      let shift = try (attachment.scope / layer.path).parameter(
        "beft_bias", [1, layer.outputSize], initWeights ? .zeros : .normal(standardDeviation: 1))
      try attachment.fill(layer, with: ShiftedOutput(shift))
    }
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }
}

/// A layer with one more bias.
private final class ShiftedOutput: LinearAdapter {
  /// `[1, out]`.
  let shift: Parameter

  init(_ shift: Parameter) { self.shift = shift }

  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor {
    addRow(base.plain(x), shift.operand.reshaped(to: [shift.shape[1]]))
  }

  func merge(into base: Linear) throws(TuningError) {
    guard let bias = base.bias else { throw TuningError("\(base.path): has no bias that another could be merged into; use the delta as an adapter") }
    bias.assign(bias.dense() + shift.value.reshaped(to: bias.shape))
  }
}
