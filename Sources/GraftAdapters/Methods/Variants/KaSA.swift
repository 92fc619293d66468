import GraftLayers
import GraftTensors

/// Knowledge-aware singular-value adaptation: the weight does without its `r` smallest singular components, and between the factors
/// stand trained singular values, `y = W' x + b + s B diag(d) A x`.
///
/// Wang et al. 2024, "KaSA", section 3, with the penalties of equations 9 to 11, which PEFT leaves to its caller.
struct KaSA: LoRAVariant, Codable, Sendable, Hashable {
  /// Multiplied into the sum of the squared singular values, and into the distance of the factors from orthonormal ones.
  var beta = 1e-4
  var gamma = 1e-3

  init() {}

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    beta = try container.decodeIfPresent(Double.self, forKey: .beta) ?? 1e-4
    gamma = try container.decodeIfPresent(Double.self, forKey: .gamma) ?? 1e-3
  }

  func adapter(for layer: Linear, rank: Int, scale: Float, of method: LoRA, in attachment: Attachment) throws -> any LinearAdapter {
    guard beta >= 0, gamma >= 0 else { throw TuningError("kasa_config: beta is \(beta) and gamma \(gamma); neither may be negative") }
    guard layer.layout == .outputByInput else { throw TuningError("kasa_config: PEFT has it for ordinary layers only, not for \(layer.path)") }
    guard rank < min(layer.inputSize, layer.outputSize) else {
      throw TuningError("kasa_config: r is \(rank) for \(layer.path) \(layer.weight.shape), of which nothing would be left")
    }
    let (a, b) = try method.makeFactors(of: layer, a: [rank, layer.inputSize], b: [layer.outputSize, rank], in: attachment)
    let adapter = SingularValueAdapter(
      a: a, b: b, values: try (attachment.scope / layer.path).parameter("lora_diag", [rank], .normal(standardDeviation: 1)),
      removed: .minor(of: layer.weight.dense(), rank: rank), scale: scale, dropout: Float(method.loraDropout))
    let penalty = attachment.schedule as? SingularValuePenalty ?? SingularValuePenalty(beta: Float(beta), gamma: Float(gamma))
    penalty.adapters.append(adapter)
    attachment.schedule = penalty
    return adapter
  }
}

/// `s B diag(d) A x`, without what the smallest singular values of the weight make of `x`.
final class SingularValueAdapter: AdditiveAdapter {
  /// `[r, in]`, `[out, r]` and `[r]`.
  let a: Parameter, b: Parameter, values: Parameter
  let removed: LowRankPart
  let scale: Float, dropout: Float

  init(a: Parameter, b: Parameter, values: Parameter, removed: LowRankPart, scale: Float, dropout: Float) {
    (self.a, self.b, self.values, self.removed, self.scale, self.dropout) = (a, b, values, removed, scale, dropout)
  }

  func change(_ x: Tensor, addingTo base: consuming Tensor, _ pass: Pass) -> Tensor {
    let rest = linear(linear(x, removed.a), removed.b, scale: -1, addingTo: base)
    let narrow = scaleColumns(linear(pass.dropout(x, dropout, at: a.path), a.operand), by: values.operand)
    return linear(narrow, b.operand, scale: scale, addingTo: rest)
  }
}

/// `beta |d|² + gamma (|Bᵀ B - I| + |A Aᵀ - I|)`, summed over the layers.
final class SingularValuePenalty: TrainingSchedule {
  private let beta: Float, gamma: Float
  fileprivate(set) var adapters: [SingularValueAdapter] = []

  init(beta: Float, gamma: Float) { (self.beta, self.gamma) = (beta, gamma) }

  func penalty() -> Tensor? {
    guard beta > 0 || gamma > 0 else { return nil }
    let terms = adapters.map { adapter -> Tensor in
      let eye = Tensor.identity(adapter.values.shape[0])
      let (a, b) = (adapter.a.operand, adapter.b.operand.transposed)
      let lengths = euclideanNorm(linear(b, b) - eye) + euclideanNorm(linear(a, a) - eye)
      return beta * sum(adapter.values.operand * adapter.values.operand) + gamma * lengths
    }
    return terms.dropFirst().reduce(terms.first) { sum, term in sum.map { $0 + term } }
  }
}
