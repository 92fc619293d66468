import GraftLayers
import GraftOptimizers
import GraftTensors

/// Which parameters weight decay applies to: no biases, no norms, as Transformers' Trainer has it.
enum DecayRule {
  static func applies(to parameter: Parameter, in catalog: SiteCatalog) -> Bool {
    let name = parameter.path.lowercased()
    let components = name.split(separator: ".")
    if name.contains("bias") || name.contains("layernorm") || name.contains("rmsnorm") { return false }
    if components.contains(where: { $0 == "norm" || $0.hasSuffix("_norm") }) { return false }
    return !catalog.sites.contains { $0.norm?.kind == .layer && ($0.norm?.weight === parameter || $0.norm?.bias === parameter) }
  }
}

extension Recipe.Training {
  /// The optimizer's rule with the recipe's hyper-parameters.
  var updateRule: any UpdateRule {
    let beta1 = betas.first ?? 0.9, beta2 = betas.count > 1 ? betas[1] : 0.999
    return switch optimizer {
    case .sgd: SGD()
    case .momentum: Momentum(momentum: beta1)
    case .rmsprop: RMSProp(smoothing: beta2, epsilon: epsilon)
    case .adam: Adam(beta1: beta1, beta2: beta2, epsilon: epsilon)
    case .adamw: AdamW(beta1: beta1, beta2: beta2, epsilon: epsilon)
    }
  }
}
