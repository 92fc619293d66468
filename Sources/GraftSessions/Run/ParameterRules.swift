import GraftAdapters
import GraftLayers
import GraftOptimizers
import GraftRecipes
import GraftTensors

/// The choice of parameters that weight decay applies to: no biases, no norms, as Transformers' Trainer has it.
enum DecayRule {
  static func applies(to parameter: Parameter, in catalog: SiteCatalog) -> Bool {
    let name = parameter.path.lowercased()
    let components = name.split(separator: ".")
    if name.contains("bias") || name.contains("layernorm") || name.contains("rmsnorm") { return false }
    if components.contains(where: { $0 == "norm" || $0.hasSuffix("_norm") }) { return false }
    return !catalog.sites.contains { $0.norm?.kind == .layer && ($0.norm?.weight === parameter || $0.norm?.bias === parameter) }
  }
}

/// LoRA+: which parameters learn faster than the rest, as PEFT's `create_loraplus_optimizer` has it.
///
/// Hayou et al. 2024, "LoRA+", section 4: the `B` factors, whose inputs shrink as models grow wider, want a higher rate than
/// the `A` factors. PEFT groups vectors, such as DoRA's lengths, with them, and gives embeddings a rate of their own. What decays is
/// `DecayRule`'s: PEFT decays RMS norms, too, since it knows LayerNorm only.
struct FasterFactors {
  let ratio: Double
  /// The rate of embeddings' factors over that of the rest.
  let embedding: Double

  /// Nil for a recipe without LoRA+.
  /// - Throws: `SessionError` for a method without these factors.
  init?(_ training: Recipe.Training, peak: Double, method: String) throws {
    try Self.require(training, method: method)
    guard let ratio = training.loraplusLrRatio else { return nil }
    self.ratio = ratio
    embedding = peak > 0 ? training.loraplusLrEmbedding / peak : 1
  }

  /// - Throws: `SessionError` where a recipe asks for LoRA+ with a method that has no such factors.
  static func require(_ training: Recipe.Training, method: String) throws {
    guard training.loraplusLrRatio != nil, method != LoRA.name else { return }
    throw SessionError(.usage, "training.loraplus_lr_ratio: \(method) has no A and B factors; use it with LORA, or leave it out")
  }

  func rateFactor(of parameter: Parameter) -> Double {
    if parameter.path.contains("lora_embedding_") { return embedding }
    return parameter.path.contains("lora_B") || parameter.shape.rank == 1 ? ratio : 1
  }
}

/// The preconditioner of a delta's factors, as PEFT's `create_riemannian_optimizer` and `create_lorafa_optimizer` have it.
enum FactorPreconditioning {
  /// - Throws: `SessionError` where a recipe asks for it with a method that has no such factors.
  static func require(_ training: Recipe.Training, method: String) throws {
    guard training.preconditioner != nil, method != LoRA.name else { return }
    throw SessionError(.usage, "training.preconditioner: \(method) has no A and B factors; use it with LORA, or leave it out")
  }

  /// Nil for a recipe without one. LoRA-FA takes the first factors out of training.
  static func preconditioner(_ training: Recipe.Training, of delta: Delta) throws -> LowRankPreconditioner? {
    try require(training, method: type(of: delta.method).name)
    guard let name = training.preconditioner, let method = delta.method as? LoRA else { return nil }
    let named = Dictionary(delta.parameters.map { ($0.key, $0.parameter) }) { first, _ in first }
    let (first, second, prefix) = (".lora_A.weight", ".lora_B.weight", "base_model.model.")
    let pairs = try delta.parameters.compactMap { key, a -> LowRankPreconditioner.Pair? in
      let module = key.dropLast(first.count)
      guard key.hasSuffix(first), let b = named[module + second], a.shape[0] == b.shape[1] else { return nil }
      let scale = try Double(method.factors(for: String(module.dropFirst(prefix.count))).scale)
      return LowRankPreconditioner.Pair(a: a, b: b, factor: name == .loraFa ? 1 / (scale * scale) : 1)
    }
    guard name == .loraFa else { return LowRankPreconditioner(pairs, damping: training.preconditionerDamping) }
    for pair in pairs { pair.a.isTrainable = false }
    return LowRankPreconditioner(pairs, damping: 1e-8)
  }
}

extension Recipe.Training {
  /// The optimizer of a delta, which knows what decays and what learns faster.
  ///
  /// - Parameters:
  ///   - catalog: the base's.
  ///   - peak: the highest learning rate of the run.
  /// - Throws: `SessionError` for LoRA+ with a method that it is not for.
  package func optimizer(of delta: Delta, on catalog: SiteCatalog, peak: Double) throws -> Optimizer {
    let faster = try FasterFactors(self, peak: peak, method: type(of: delta.method).name)
    let preconditioner = try FactorPreconditioning.preconditioner(self, of: delta)
    return Optimizer(
      updateRule, parameters: delta.parameters.map(\.parameter), weightDecay: weightDecay,
      isDecayed: { DecayRule.applies(to: $0, in: catalog) }, rateFactor: { faster?.rateFactor(of: $0) ?? 1 },
      stateFormat: optimizerState.format, seed: UInt64(bitPattern: Int64(seed)), preconditioner: preconditioner)
  }

  /// The optimizer's rule with the recipe's hyper-parameters.
  package var updateRule: any UpdateRule {
    let beta1 = betas.first ?? 0.9
    let beta2 = betas.count > 1 ? betas[1] : 0.999
    return switch optimizer {
    case .sgd: SGD()
    case .momentum: Momentum(momentum: beta1)
    // Adam's second beta is its smoothing where a recipe chooses one; torch's own default is another.
    case .rmsprop: betas == Self.defaultBetas ? RMSProp(epsilon: epsilon) : RMSProp(smoothing: beta2, epsilon: epsilon)
    case .adam: Adam(beta1: beta1, beta2: beta2, epsilon: epsilon)
    case .adamw: AdamW(beta1: beta1, beta2: beta2, epsilon: epsilon)
    // The betas of Adam are not Lion's: its own are its paper's.
    case .lion: betas == Self.defaultBetas ? Lion() : Lion(beta1: beta1, beta2: beta2)
    case .adafactor: Adafactor()
    case .muon: Muon(others: AdamW(beta1: beta1, beta2: beta2, epsilon: epsilon))
    }
  }
}
