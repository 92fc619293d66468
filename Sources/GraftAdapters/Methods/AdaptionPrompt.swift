import GraftLayers
import GraftTensors

/// LLaMA-Adapter: the upper layers attend to trained vectors too, through a gate that starts closed.
///
/// Zhang et al. 2023, "LLaMA-Adapter", section 3.2. The vectors' keys are not rotated.
public struct AdaptionPrompt: TuningMethod {
  public static let name = "ADAPTION_PROMPT"
  public static let defaultLearningRate = 5e-3
  public static let card = MethodCard(
    title: "LLaMA-Adapter", formula: "a gated second attention to trained vectors", parameters: "`n h + 1` an adapted layer",
    seam: "attention of the upper layers", source: "Zhang et al. 2023")

  /// The end of the attentions' names; `self_attn` where nil.
  public var targetModules: String?
  /// The number of vectors of a layer.
  package var adapterLen: Int?
  /// The number of layers, from the last one down.
  package var adapterLayers: Int?

  public init() {}

  public static var recipeDefaults: AdaptionPrompt {
    var method = AdaptionPrompt()
    method.adapterLen = 10
    method.adapterLayers = 1
    return method
  }

  public var isMergeable: Bool { false }

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    guard let length = adapterLen, length > 0 else { throw TuningError("adapter_len: is missing or not positive; say how many vectors to train") }
    guard let count = adapterLayers, count > 0 else { throw TuningError("adapter_layers: is missing or not positive; say how many layers to adapt") }
    let name = targetModules ?? "self_attn"
    let attentions = sites.sites.compactMap(\.attention).filter { $0.isSeparate && ModuleSelection.matches($0.path, name: name) }
    guard !attentions.isEmpty else { throw TuningError("target_modules: \"\(name)\" matches no attention with separate keys and values") }
    guard count <= attentions.count else { throw TuningError("adapter_layers: is \(count); the model has \(attentions.count)") }
    for attention in attentions.suffix(count) {
      let scope = attachment.scope / attention.path
      let prompt = try scope.parameter("adaption_prompt", [1, length, attention.output.outputSize], .normal(standardDeviation: 1))
      let gate = try scope.parameter("adaption_gate", [1], .zeros)
      try attachment.fill(attention, with: GatedPrompt(prompt, gate: gate))
    }
  }
}

extension Attention {
  fileprivate var isSeparate: Bool { if case .separate = projection { true } else { false } }
}

/// Attention to trained vectors, times a trained number.
private final class GatedPrompt: AttentionSupplement {
  /// `[1, length, hidden]` and `[1]`.
  let prompt: Parameter, gate: Parameter

  init(_ prompt: Parameter, gate: Parameter) { (self.prompt, self.gate) = (prompt, gate) }

  func callAsFunction(_ query: Tensor, addingTo context: Tensor, of base: Attention, _ layout: SequenceLayout, _ pass: Pass) -> Tensor {
    guard case .separate(_, let key, let value) = base.projection else { return context }
    let length = prompt.shape[1]
    let vectors = prompt.operand.reshaped(to: [length, prompt.shape[2]])
    var options = base.options
    options.window = nil
    let found = attention(
      query: query, key: key(vectors, pass), value: value(vectors, pass), options,
      spans: layout.spans.map { AttentionSpan(queries: $0.queries, keys: 0..<length) }, mask: .bidirectional)
    return context + scaleAll(found, by: gate.operand)
  }
}
