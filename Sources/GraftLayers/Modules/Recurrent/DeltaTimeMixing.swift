import GraftTensors

/// RWKV-7's time mixing: a matrix of every head that decays, forgets along one direction and takes in values by their keys, read by the
/// receptance, normed, with a bonus for the token itself, behind a gate (Peng et al. 2025, "RWKV-7 Goose", section 4.1).
public final class DeltaTimeMixing: Sublayer {
  /// Two layers with few channels between them: `up(activation(down(x)))`.
  public struct LowRank {
    /// To the few channels and back: `[rank, hidden]` and `[hidden, rank]`.
    public var down: Linear, up: Linear
    /// The activation of the few channels.
    public var activation: Activation

    /// The layers, with the shapes that their properties have.
    public init(down: Linear, up: Linear, activation: Activation) { (self.down, self.up, self.activation) = (down, up, activation) }

    func callAsFunction(_ x: Tensor, _ pass: Pass) -> Tensor { up(activate(down(x, pass), activation), pass) }
  }

  /// The layers of a time mixing.
  public struct Layers {
    /// The projections, `[hidden, hidden]` each.
    public var receptance: Linear, key: Linear, value: Linear, output: Linear
    /// The layers of decays, of in-context learning rates, and of the gate of what is read.
    public var decay: LowRank, rate: LowRank, gate: LowRank
    /// The share of the first layer's values; nil in the first layer, which has it from itself.
    public var firstValue: LowRank?

    /// The layers, with the shapes that their properties have.
    public init(
      receptance: Linear, key: Linear, value: Linear, output: Linear, decay: LowRank, rate: LowRank, gate: LowRank, firstValue: LowRank?
    ) {
      (self.receptance, self.key, self.value, self.output) = (receptance, key, value, output)
      (self.decay, self.rate, self.gate, self.firstValue) = (decay, rate, gate, firstValue)
    }
  }

  /// The vectors of a time mixing.
  public struct Vectors {
    /// The shares of the row before a token's own in what each layer reads, `[1, 1, hidden]`.
    public var receptanceMix: Parameter, decayMix: Parameter, keyMix: Parameter, valueMix: Parameter, rateMix: Parameter, gateMix: Parameter
    /// The factors of a key where it says what is removed, and the share of the rate in it where it is taken in: `[hidden]` each.
    public var removal: Parameter, keyRate: Parameter
    /// `[heads, headSize]`.
    public var bonus: Parameter
    /// Of the norm of every head: `[hidden]` each.
    public var normWeight: Parameter, normBias: Parameter

    /// The vectors, with the shapes that their properties have.
    public init(
      receptanceMix: Parameter, decayMix: Parameter, keyMix: Parameter, valueMix: Parameter, rateMix: Parameter, gateMix: Parameter,
      removal: Parameter, keyRate: Parameter, bonus: Parameter, normWeight: Parameter, normBias: Parameter
    ) {
      (self.receptanceMix, self.decayMix, self.keyMix) = (receptanceMix, decayMix, keyMix)
      (self.valueMix, self.rateMix, self.gateMix) = (valueMix, rateMix, gateMix)
      (self.removal, self.keyRate, self.bonus) = (removal, keyRate, bonus)
      (self.normWeight, self.normBias) = (normWeight, normBias)
    }
  }

  /// The name under which the first layer's values are shared.
  private static let sharedValues = "first values"

  /// The module's path, such as `model.layers.0.attn`.
  public let path: String
  /// The layers of the time mixing.
  public let layers: Layers
  /// The vectors of the time mixing.
  public let vectors: Vectors
  /// The epsilon of the norm of every head.
  public let epsilon: Float
  /// The matrices of all heads, `[heads * headSize * headSize]`.
  public let recurrence: Recurrence

  /// The time mixing at the path of `scope`.
  public init(_ scope: Scope, _ layers: Layers, _ vectors: Vectors, epsilon: Float) {
    (path, self.layers, self.vectors, self.epsilon) = (scope.path, layers, vectors, epsilon)
    recurrence = Recurrence(scope, stateSize: vectors.bonus.shape.elementCount * vectors.bonus.shape[1])
  }

  public var last: Linear? { layers.output }

  public func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, _ pass: Pass, addingTo residual: consuming Tensor? = nil) -> Tensor {
    let way = RecurrentPass(path, over: x, layout, pass, keeping: x.shape.columns, recurrence)
    func shifted(_ mix: Parameter) -> Tensor { tokenShift(x, mix: mix.operand, of: .previous, way.rows, from: way.earlier) }
    let receptance = layers.receptance(shifted(vectors.receptanceMix), pass)
    let key = layers.key(shifted(vectors.keyMix), pass)
    let value = value(shifted(vectors.valueMix), pass)
    let rate = activate(layers.rate(shifted(vectors.rateMix), pass), .sigmoid)
    // A key takes in more of a value the more it removes: k (1 + (a - 1) k_a).
    let written = key + scaleColumns(key * rate - key, by: vectors.keyRate.operand)
    let rule = generalizedDeltaRule(
      DeltaRuleInputs(
        receptance: receptance, decay: layers.decay(shifted(vectors.decayMix), pass), key: written, value: value,
        removal: unit(scaleColumns(key, by: vectors.removal.operand)), rate: rate), headSize: vectors.bonus.shape[1], way.rows,
      from: way.start)
    way.leaveLastRow(of: x, rule.state)
    let read = addKeyBonus(normed(rule.output), receptance: receptance, key: written, value: value, bonus: vectors.bonus.operand)
    return layers.output(read * layers.gate(shifted(vectors.gateMix), pass), joining: residual, dropout: 0, pass)
  }

  /// The values of the layer, mixed with those of the first.
  private func value(_ x: Tensor, _ pass: Pass) -> Tensor {
    let own = layers.value(x, pass)
    guard let share = layers.firstValue, let first = pass.shared[Self.sharedValues] else {
      pass.shared.share(own, as: Self.sharedValues)
      return own
    }
    return own + (first - own) * activate(share(x, pass), .sigmoid)
  }

  /// The vectors of every head, of length 1.
  private func unit(_ x: Tensor) -> Tensor {
    let size = vectors.bonus.shape[1]
    return rmsNorm(x, weight: Tensor(repeating: 1 / Float(size).squareRoot(), shape: [size]), epsilon: 1e-24 / Float(size))
  }

  /// The norm of every head.
  private func normed(_ x: Tensor) -> Tensor {
    let ones = Tensor(repeating: 1, shape: [vectors.bonus.shape[1]])
    return addRow(scaleColumns(layerNorm(x, weight: ones, bias: nil, epsilon: epsilon), by: vectors.normWeight.operand), vectors.normBias.operand)
  }
}
