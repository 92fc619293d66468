import GraftTensors

/// RWKV's time mixing in the place of attention: a mean of all values so far that fades with the distance, behind a gate
/// (Peng et al. 2023, "RWKV: Reinventing RNNs for the Transformer Era", section 3.1).
public final class TimeMixing: Sublayer {
  /// The layers and vectors of a time mixing.
  public struct Layers {
    /// `[channels, hidden]` each, and the output's `[hidden, channels]`.
    public var key: Linear, value: Linear, receptance: Linear, output: Linear
    /// The shares of a token's own row in what each layer reads, `[1, 1, hidden]`; the rest is the row before it.
    public var keyMix: Parameter, valueMix: Parameter, receptanceMix: Parameter
    /// The logarithms of the rates at which tokens fade, and what a token's own key has more: `[channels]` each.
    public var decay: Parameter, first: Parameter

    /// The layers and vectors, with the shapes that their properties have.
    public init(
      key: Linear, value: Linear, receptance: Linear, output: Linear, keyMix: Parameter, valueMix: Parameter, receptanceMix: Parameter,
      decay: Parameter, first: Parameter
    ) {
      (self.key, self.value, self.receptance, self.output) = (key, value, receptance, output)
      (self.keyMix, self.valueMix, self.receptanceMix) = (keyMix, valueMix, receptanceMix)
      (self.decay, self.first) = (decay, first)
    }
  }

  /// The module's path, such as `rwkv.blocks.0.attention`.
  public let path: String
  /// The layers and vectors of the mixing.
  public let layers: Layers

  /// The mixing at the path of `scope`.
  public init(_ scope: Scope, _ layers: Layers) { (path, self.layers) = (scope.path, layers) }

  public var last: Linear? { layers.output }

  public func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, _ pass: Pass, addingTo residual: consuming Tensor? = nil) -> Tensor {
    let rows = SequenceRows(layout.spans.map(\.queries), of: x.shape.rows)
    let state = pass.state.map { sequences in
      sequences.recurrence(path, [.zeros([x.shape.columns]), initialWeightedKeyValue(channels: layers.key.outputSize)])
    }
    let before = state?.tensors[0]
    let key = layers.key(tokenShift(x, mix: layers.keyMix.operand, rows, from: before), pass)
    let value = layers.value(tokenShift(x, mix: layers.valueMix.operand, rows, from: before), pass)
    let receptance = layers.receptance(tokenShift(x, mix: layers.receptanceMix.operand, rows, from: before), pass)
    let mean = weightedKeyValue(
      key: key, value: value, decay: layers.decay.operand, first: layers.first.operand, rows, from: state?.tensors[1])
    if let state, let before, let next = mean.state {
      state.update([lastRows(x, rows, from: before), next], after: rows.spans.map(\.count))
    }
    return layers.output(gated(receptance, mean.output, .sigmoid), joining: residual, dropout: 0, pass)
  }
}

/// RWKV's channel mixing in the place of the feed-forward: `sigmoid(receptance) * value(relu(key)²)` of shifted tokens
/// (Peng et al. 2023, section 3.1, eq. 18).
public final class ChannelMixing: Sublayer {
  /// The module's path, such as `rwkv.blocks.0.feed_forward`.
  public let path: String
  /// `[intermediate, hidden]`, `[hidden, intermediate]`, and `[hidden, hidden]`.
  public let key: Linear, value: Linear, receptance: Linear
  /// The shares of a token's own row, `[1, 1, hidden]`.
  public let keyMix: Parameter, receptanceMix: Parameter

  /// The mixing at the path of `scope`.
  public init(_ scope: Scope, key: Linear, value: Linear, receptance: Linear, keyMix: Parameter, receptanceMix: Parameter) {
    path = scope.path
    (self.key, self.value, self.receptance) = (key, value, receptance)
    (self.keyMix, self.receptanceMix) = (keyMix, receptanceMix)
  }

  public var last: Linear? { value }

  public func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, _ pass: Pass, addingTo residual: consuming Tensor? = nil) -> Tensor {
    let rows = SequenceRows(layout.spans.map(\.queries), of: x.shape.rows)
    let state = pass.state.map { $0.recurrence(path, [.zeros([x.shape.columns])]) }
    let before = state?.tensors[0]
    let raised = activate(key(tokenShift(x, mix: keyMix.operand, rows, from: before), pass), .reluSquared)
    let gate = receptance(tokenShift(x, mix: receptanceMix.operand, rows, from: before), pass)
    if let state, let before { state.update([lastRows(x, rows, from: before)], after: rows.spans.map(\.count)) }
    let y = gated(gate, value(raised, pass), .sigmoid)
    guard let residual else { return y }
    return value.residualAdapter?(y, joining: residual, pass) ?? residual + y
  }
}
