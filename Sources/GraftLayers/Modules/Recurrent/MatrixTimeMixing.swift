import GraftTensors

/// The time mixing of RWKV-5 and 6: a matrix of every head that decays key by key and takes in values by their keys, read by the receptance
/// together with a bonus for the token itself, normed, behind a gate (Peng et al. 2024, "Eagle and Finch", sections 4.1 and 4.2).
public final class MatrixTimeMixing: Sublayer {
  /// The rows that the layers read and the decays, which a token has from itself and from the one before it.
  public enum Shift {
    /// Shares of a token's own row, `[1, 1, hidden]`, and decays that are the same for all tokens (RWKV-5).
    case fixed(receptance: Parameter, key: Parameter, value: Parameter, gate: Parameter)
    /// Shares of the row before a token's own that depend on both, and so do the decays (RWKV-6).
    case dynamic(DynamicShift)
  }

  /// The layers of a time mixing.
  public struct Layers {
    /// `[channels, hidden]` each, and the output's `[hidden, channels]`.
    public var receptance: Linear, key: Linear, value: Linear, gate: Linear, output: Linear

    /// The layers, with the shapes that their properties have.
    public init(receptance: Linear, key: Linear, value: Linear, gate: Linear, output: Linear) {
      (self.receptance, self.key, self.value, self.gate, self.output) = (receptance, key, value, gate, output)
    }
  }

  /// The vectors of a time mixing.
  public struct Vectors {
    /// The logarithms of the rates of decay, or what those of all tokens have in common: one a channel.
    public var decay: Parameter
    /// `[heads, headSize]`.
    public var bonus: Parameter
    /// Of the norm of every head: `[channels]` each.
    public var normWeight: Parameter, normBias: Parameter

    /// The vectors, with the shapes that their properties have.
    public init(decay: Parameter, bonus: Parameter, normWeight: Parameter, normBias: Parameter) {
      (self.decay, self.bonus, self.normWeight, self.normBias) = (decay, bonus, normWeight, normBias)
    }
  }

  /// The module's path, such as `rwkv.blocks.0.attention`.
  public let path: String
  /// The layers of the time mixing.
  public let layers: Layers
  /// The rows that they read.
  public let shift: Shift
  /// The vectors of the time mixing.
  public let vectors: Vectors
  /// The matrices of all heads, `[heads * headSize * headSize]`.
  public let recurrence: Recurrence
  private let norm: HeadNorm

  /// The time mixing at the path of `scope`.
  /// - Parameter epsilon: that of the norm of every head.
  public init(_ scope: Scope, _ layers: Layers, _ shift: Shift, _ vectors: Vectors, epsilon: Float) {
    (path, self.layers, self.shift, self.vectors) = (scope.path, layers, shift, vectors)
    let size = vectors.bonus.shape[1]
    norm = HeadNorm(headSize: size, weight: vectors.normWeight, bias: vectors.normBias, epsilon: epsilon)
    recurrence = Recurrence(scope, stateSize: vectors.bonus.shape.elementCount * size)
  }

  public var last: Linear? { layers.output }

  public func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, _ pass: Pass, addingTo residual: consuming Tensor? = nil) -> Tensor {
    let way = RecurrentPass(path, over: x, layout, pass, keeping: x.shape.columns, recurrence)
    let read = rows(x, way)
    let (receptance, key, value) = (layers.receptance(read.receptance, pass), layers.key(read.key, pass), layers.value(read.value, pass))
    let state = matrixKeyValue(
      MatrixKeyValueInputs(receptance: receptance, decay: read.decay, key: key, value: value), headSize: vectors.bonus.shape[1], way.rows,
      from: way.start)
    way.leaveLastRow(of: x, state.state)
    let whole = addKeyBonus(state.output, receptance: receptance, key: key, value: value, bonus: vectors.bonus.operand)
    return layers.output(gated(layers.gate(read.gate, pass), norm(whole), .silu), joining: residual, dropout: 0, pass)
  }

  /// The rows that layers read, and the logarithms of the rates of decay, `[rows, channels]`.
  private func rows(_ x: Tensor, _ way: RecurrentPass) -> (receptance: Tensor, key: Tensor, value: Tensor, gate: Tensor, decay: Tensor) {
    switch shift {
    case .fixed(let receptance, let key, let value, let gate):
      func shifted(_ mix: Parameter) -> Tensor { tokenShift(x, mix: mix.operand, way.rows, from: way.earlier) }
      let decay = addRow(.zeros([x.shape.rows, vectors.decay.shape.elementCount]), vectors.decay.operand)
      return (shifted(receptance), shifted(key), shifted(value), shifted(gate), decay)
    case .dynamic(let shift):
      let shifted = shift(x, way)
      return (shifted.receptance, shifted.key, shifted.value, shifted.gate, addRow(shifted.decay, vectors.decay.operand))
    }
  }
}

/// RWKV-6's token shift, whose shares depend on the token and the one before it (Peng et al. 2024, eq. 10 to 12).
public struct DynamicShift {
  /// The shares of the row before in what the shares are made of, `[1, 1, hidden]`.
  public var base: Parameter
  /// The part of the shares that all tokens have, `[1, 1, hidden]` each.
  public var decay: Parameter, key: Parameter, value: Parameter, receptance: Parameter, gate: Parameter
  /// To five times a few channels, `[hidden, 5 * rank]`, and back from those of each, `[5, rank, hidden]`.
  public var down: Parameter, up: Parameter
  /// The same for decays: `[hidden, rank]`, `[rank, channels]`.
  public var decayDown: Parameter, decayUp: Parameter

  /// The parameters, with the shapes that their properties have.
  public init(
    base: Parameter, decay: Parameter, key: Parameter, value: Parameter, receptance: Parameter, gate: Parameter, down: Parameter, up: Parameter,
    decayDown: Parameter, decayUp: Parameter
  ) {
    (self.base, self.decay, self.key, self.value, self.receptance, self.gate) = (base, decay, key, value, receptance, gate)
    (self.down, self.up, self.decayDown, self.decayUp) = (down, up, decayDown, decayUp)
  }

  /// The rows that layers read, and what the decays of single tokens have beside what all have.
  func callAsFunction(_ x: Tensor, _ way: RecurrentPass) -> (receptance: Tensor, key: Tensor, value: Tensor, gate: Tensor, decay: Tensor) {
    let before = tokenShift(x, mix: .zeros([x.shape.columns]), way.rows, from: way.earlier)
    let step = before - x
    let blended = x + scaleColumns(step, by: base.operand)
    let low = activate(linear(blended, down.operand, layout: .inputByOutput), .tanh)
    let rank = up.shape[1]
    let ups = up.operand.reshaped(to: [5 * rank, x.shape.columns])
    func row(_ part: Int, _ share: Parameter) -> Tensor {
      let own = part * rank..<(part + 1) * rank
      return x + step * addRow(linear(low.columns(own), ups.rows(own), layout: .inputByOutput), share.operand)
    }
    let rates = activate(linear(row(0, decay), decayDown.operand, layout: .inputByOutput), .tanh)
    return (
      receptance: row(3, receptance), key: row(1, key), value: row(2, value), gate: row(4, gate),
      decay: linear(rates, decayUp.operand, layout: .inputByOutput)
    )
  }
}
