import GraftTensors

/// A selective state space in the place of attention and feed-forward (Gu and Dao 2023, "Mamba", section 3.4): a gate beside a short
/// convolution and a scan whose step sizes, inputs and outputs depend on the token.
public final class MambaMixer: Sublayer {
  /// The layers of a mixer, in the order in which they are computed.
  public struct Layers {
    /// From hidden states to the channels, and behind them the gates: `[2 * channels, hidden]`.
    public var input: Linear
    /// `[channels, 1, kernel]`, and `[channels]`.
    public var kernel: Parameter, kernelBias: Parameter?
    /// From channels to the step's compressed row, and what goes into and comes out of the states: `[rank + 2 * size, channels]`.
    public var parameters: Linear
    /// From the compressed row to the sizes of steps: `[channels, rank]`.
    public var step: Linear
    /// `[channels, size]`, and `[channels]`.
    public var rates: Parameter, skip: Parameter
    /// From channels back to hidden states: `[hidden, channels]`.
    public var output: Linear

    /// The layers, with the shapes that their properties have.
    public init(
      input: Linear, kernel: Parameter, kernelBias: Parameter?, parameters: Linear, step: Linear, rates: Parameter, skip: Parameter, output: Linear
    ) {
      (self.input, self.kernel, self.kernelBias) = (input, kernel, kernelBias)
      (self.parameters, self.step, self.rates, self.skip, self.output) = (parameters, step, rates, skip, output)
    }
  }

  /// The module's path, such as `backbone.layers.0.mixer`.
  public let path: String
  /// The layers of the mixer.
  public let layers: Layers
  /// The activation behind the convolution; that of the gate is always SiLU.
  public let activation: Nonlinearity
  /// The states of all channels, `[size * channels]`.
  public let recurrence: Recurrence

  /// The mixer at the path of `scope`.
  public init(_ scope: Scope, _ layers: Layers, activation: Nonlinearity) {
    (path, self.layers, self.activation) = (scope.path, layers, activation)
    recurrence = Recurrence(scope, stateSize: layers.rates.shape.elementCount)
  }

  public var last: Linear? { layers.output }

  public func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, _ pass: Pass, addingTo residual: consuming Tensor? = nil) -> Tensor {
    let (channels, size, rank) = (layers.rates.shape[0], layers.rates.shape[1], layers.step.inputSize)
    let way = RecurrentPass(path, over: x, layout, pass, keeping: (layers.kernel.shape.columns - 1) * channels, recurrence)
    let projected = layers.input(x, pass)
    let convolution = causalConvolution(
      projected.columns(0..<channels), weight: layers.kernel.operand, bias: layers.kernelBias?.operand, way.rows,
      from: way.earlier)
    let input = activation(convolution.output)
    let parameters = layers.parameters(input, pass)
    let delta = layers.step(parameters.columns(0..<rank), pass)
    let scan = selectiveScan(
      ScanInputs(
        input, delta: delta, rates: layers.rates.operand, input: parameters.columns(rank..<rank + size),
        output: parameters.columns(rank + size..<rank + 2 * size), skip: layers.skip.operand), way.rows,
      from: way.start)
    way.leave(convolution.state, scan.state)
    return layers.output(gated(projected.columns(channels..<2 * channels), scan.output, .silu), joining: residual, dropout: 0, pass)
  }
}
