import GraftConfiguration
import GraftLayers
import GraftTensors

/// A variant of LoRA: another use of two factors beside a linear layer. Its keys are a section of LoRA's, or one key.
protocol LoRAVariant {
  /// Makes the factors under the layer's path, and the adapter.
  /// - Throws: `TuningError` where the variant does not fit the layer, and what the scope throws.
  func adapter(for layer: Linear, rank: Int, scale: Float, of method: LoRA, in attachment: Attachment) throws -> any LinearAdapter
}

/// The keys of PEFT's variants, of which one at a time can be set.
package struct LoRAVariants: InlinedKeys, Sendable, Hashable {
  /// The tokens from whose last occurrence on the adapter is active; nil for everywhere.
  var aloraInvocationTokens: [Int]?
  /// The layers with a factor of blocks.
  var useBdlora: BlockDiagonalLoRA?
  /// Trained singular values over a weight without its smallest ones.
  var kasaConfig: KaSA?
  /// Inputs that are kept compressed for the gradient.
  var veloraConfig: VeLoRA?
  /// Noise in training.
  var montecloraConfig: MonteCLoRA?

  /// The variant that is set; nil for LoRA as it is.
  /// - Throws: `TuningError` for several.
  func chosen() throws(TuningError) -> (key: String, variant: any LoRAVariant)? {
    let all: [(key: String, variant: (any LoRAVariant)?)] = [
      ("alora_invocation_tokens", aloraInvocationTokens.map { ActivatedLoRA(invocation: $0) }), ("use_bdlora", useBdlora),
      ("kasa_config", kasaConfig), ("velora_config", veloraConfig), ("monteclora_config", montecloraConfig),
    ]
    let given = all.compactMap { entry in entry.variant.map { (entry.key, $0) } }
    guard given.count < 2 else { throw TuningError("\(given[0].0): cannot be combined with \(given[1].0); leave out one of them") }
    return given.first
  }

  /// The key of a variant whose change of the base is not the product of its two factors; nil where it is.
  var unlikePlain: String? {
    if aloraInvocationTokens != nil { return "alora_invocation_tokens" }
    if useBdlora != nil { return "use_bdlora" }
    return kasaConfig != nil ? "kasa_config" : nil
  }
}

extension LoRA {
  /// The key that makes the change another than `s B A`, added to the base as it is; nil where it is that.
  package var keyUnlikePlain: String? {
    if useDora { return "use_dora" }
    return initLoraWeights.isDecomposition ? "init_lora_weights" : variants.unlikePlain
  }

  public var isMergeable: Bool { variants.aloraInvocationTokens == nil }

  /// - Throws: `TuningError` for keys that cannot be combined with a variant.
  func validateVariant(in sites: SiteCatalog) throws(TuningError) {
    guard let (key, _) = try variants.chosen() else { return }
    if variants.aloraInvocationTokens != nil, sites.sites.contains(where: { $0.attention?.place == .source }) {
      throw TuningError("alora_invocation_tokens: is for decoders that read a text from left to right, not for one that reads an encoder's states")
    }
    let others = [
      ("use_dora", useDora), ("lora_bias", loraBias), ("target_parameters", targetParameters?.isEmpty == false),
      ("init_lora_weights", initLoraWeights.isDecomposition || initLoraWeights == .minor || initLoraWeights == .orthogonal),
    ]
    if let other = others.first(where: \.1) { throw TuningError("\(key): cannot be combined with \(other.0); leave out one of them") }
  }

  /// The two factors of a layer, with the shapes that a variant gives them.
  func makeFactors(of layer: Linear, a: Shape, b: Shape, in attachment: Attachment) throws -> (a: Parameter, b: Parameter) {
    let scope = attachment.scope / layer.path
    let initial = initLoraWeights.initializers(inputs: a[1], outputs: b[0], rank: b[1])
    try attachment.ignore("\(scope.path).base_layer.weight", shape: layer.weight.shape)
    return (try (scope / "lora_A").parameter("weight", a, initial.a), try (scope / "lora_B").parameter("weight", b, initial.b))
  }
}
