import GraftLayers
import GraftTensors

/// A matrix that is a sum of Kronecker products, `H = sum_i A_i ⊗ (L_i R_i)`, of which layers may share the first factors.
///
/// Mahabadi et al. 2021, "Compacter", equations 4 to 6; the layout is AdapterHub's.
package struct HypercomplexMatrix {
  /// `[d, d, d]`, the `A_i`.
  let rule: Parameter
  /// `[d, in / d, r]` and `[d, r, out / d]`.
  let left: Parameter, right: Parameter

  package init(rule: Parameter, left: Parameter, right: Parameter) { (self.rule, self.left, self.right) = (rule, left, right) }

  /// `[in, out]`.
  package var matrix: Tensor {
    let count = rule.shape[0]
    let inner = left.shape[1]
    let rank = left.shape[2]
    let outer = right.shape[2]
    let lefts = left.operand.reshaped(to: [count * inner, rank])
    let rights = right.operand.reshaped(to: [count * rank, outer])
    let products = (0..<count).map { index in
      let l = lefts.rows(index * inner..<(index + 1) * inner)
      let r = rights.rows(index * rank..<(index + 1) * rank)
      return matrixProduct(l, r).reshaped(to: [1, inner * outer])
    }
    let rules = rule.operand.reshaped(to: [count, count * count]).transposed
    // (a, c, p, q) to (a, q, p, c) to (a, p, c, q), where A_i is (a, c) and L_i R_i is (p, q).
    let blocks = matrixProduct(rules, concatenateRows(products)).reshaped(to: [count, count * inner * outer])
    let turned = transposeRows(blocks, size: count * inner).reshaped(to: [count * outer, count * inner])
    let exchanged = transposeRows(turned, size: count).reshaped(to: [count, outer * inner * count])
    return transposeRows(exchanged, size: outer).reshaped(to: [count * inner, count * outer])
  }
}

extension BottleneckAdapter {
  /// The settings of hypercomplex layers.
  struct HypercomplexSettings {
    /// The `d` of their factors, and the rank of the second ones.
    var size = 4, rank = 1
    /// True where all layers have one rule.
    var isRuleShared = true
    var ruleInitializer = Initializer.normal(standardDeviation: 1e-4)
  }

  /// Returns the initializer of a layer's own rule; `phm_init_range` is for a shared one only.
  private func ownRuleInitializer() -> Initializer {
    phmCInit == .uniform ? .uniform(bound: 0.01) : .normal(standardDeviation: 0.01)
  }

  /// - Returns: nil for dense layers.
  /// - Throws: `TuningError` for a size that is not positive.
  func hypercomplexSettings() throws(TuningError) -> HypercomplexSettings? {
    guard phmLayer ?? (config == .compacter || config == .compacterPlusPlus) else { return nil }
    guard phmDim > 0, phmRank > 0 else { throw TuningError("phm_dim: is \(phmDim) with phm_rank \(phmRank); both must be positive") }
    let shared = phmCInit == .uniform ? Initializer.uniform(bound: 1) : .normal(standardDeviation: Float(phmInitRange))
    return HypercomplexSettings(
      size: phmDim, rank: phmRank, isRuleShared: sharedPhmRule, ruleInitializer: sharedPhmRule ? shared : ownRuleInitializer())
  }

  /// The rule that all layers share, under the base model's own name.
  func sharedRule(_ settings: HypercomplexSettings, beside path: String, in attachment: Attachment) throws -> Parameter {
    let first = path.split(separator: ".").first.map(String.init) ?? ""
    let model = ["encoder", "decoder"].contains(first) ? attachment.root : attachment.root / first
    let size = settings.size
    return try (model / "shared_parameters").parameter("phm_rule", [size, size, size], settings.ruleInitializer)
  }

  /// A hypercomplex layer's matrix and bias.
  /// - Throws: `TuningError` where its size does not divide the layer's, and what the scope throws.
  func hypercomplexProjection(
    _ scope: Scope, in inputs: Int, out outputs: Int, _ settings: HypercomplexSettings, sharedRule: Parameter?
  ) throws -> BottleneckProjection {
    let size = settings.size
    let rank = settings.rank
    guard inputs % size == 0, outputs % size == 0, inputs > 0, outputs > 0 else {
      throw TuningError(
        "phm_dim: \(size) does not divide the \(inputs) inputs and \(outputs) outputs of \(scope.path); change it or reduction_factor")
    }
    // Glorot and Bengio 2010, equation 16, for each factor as a matrix of its own.
    func glorot(_ rows: Int, _ columns: Int) -> Initializer { .normal(standardDeviation: (2 / Float(rows + columns)).squareRoot()) }
    let matrix = HypercomplexMatrix(
      rule: try sharedRule ?? scope.parameter("phm_rule", [size, size, size], settings.ruleInitializer),
      left: try scope.parameter("W_left", [size, inputs / size, rank], glorot(inputs / size, rank)),
      right: try scope.parameter("W_right", [size, rank, outputs / size], glorot(rank, outputs / size)))
    return .hypercomplex(matrix, bias: try scope.parameter("b", [outputs], .zeros))
  }
}
