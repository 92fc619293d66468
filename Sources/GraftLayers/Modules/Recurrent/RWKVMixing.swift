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
  /// The mean of the values so far.
  public let recurrence: Recurrence

  /// The mixing at the path of `scope`.
  public init(_ scope: Scope, _ layers: Layers) {
    (path, self.layers) = (scope.path, layers)
    recurrence = Recurrence(scope, ofMeanOver: layers.key.outputSize)
  }

  public var last: Linear? { layers.output }

  public func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, _ pass: Pass, addingTo residual: consuming Tensor? = nil) -> Tensor {
    let way = RecurrentPass(path, over: x, layout, pass, keeping: x.shape.columns, recurrence)
    func shifted(_ mix: Parameter) -> Tensor { tokenShift(x, mix: mix.operand, way.rows, from: way.earlier) }
    let key = layers.key(shifted(layers.keyMix), pass)
    let value = layers.value(shifted(layers.valueMix), pass)
    let receptance = layers.receptance(shifted(layers.receptanceMix), pass)
    let mean = weightedKeyValue(
      key: key, value: value, decay: layers.decay.operand, first: layers.first.operand, way.rows, from: way.start)
    way.leaveLastRow(of: x, mean.state)
    return layers.output(gated(receptance, mean.output, .sigmoid), joining: residual, dropout: 0, pass)
  }
}

/// RWKV's channel mixing in the place of the feed-forward: `value(relu(key)²)` of shifted tokens, behind the gate `sigmoid(receptance)`
/// where it has one (Peng et al. 2023, section 3.1, eq. 18; RWKV-7 has none).
public final class ChannelMixing: Sublayer {
  /// A layer over shifted tokens, with a share for each of the `hidden` columns of the token's own row or of the one before it.
  public typealias ShiftedLayer = (layer: Linear, mix: Parameter)

  /// The module's path, such as `rwkv.blocks.0.feed_forward`.
  public let path: String
  /// `[intermediate, hidden]`, `[hidden, intermediate]`, and `[hidden, hidden]`.
  public let key: ShiftedLayer, value: Linear, receptance: ShiftedLayer?
  /// The row whose shares the layers' mixes hold; the other row has the rest.
  public let share: ShiftedShare

  /// The mixing at the path of `scope`.
  public init(_ scope: Scope, key: ShiftedLayer, value: Linear, receptance: ShiftedLayer?, share: ShiftedShare = .own) {
    path = scope.path
    (self.key, self.value, self.receptance, self.share) = (key, value, receptance, share)
  }

  public var last: Linear? { value }

  public func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, _ pass: Pass, addingTo residual: consuming Tensor? = nil) -> Tensor {
    let way = RecurrentPass(path, over: x, layout, pass, keeping: x.shape.columns, nil)
    func output(_ part: ShiftedLayer) -> Tensor {
      part.layer(tokenShift(x, mix: part.mix.operand, of: share, way.rows, from: way.earlier), pass)
    }
    let raised = activate(output(key), .reluSquared)
    let gate = receptance.map(output)
    way.leaveLastRow(of: x)
    guard let gate else { return value(raised, joining: residual, dropout: 0, pass) }
    let y = gated(gate, value(raised, pass), .sigmoid)
    guard let residual else { return y }
    return value.residualAdapter?(y, joining: residual, pass) ?? residual + y
  }
}
