import GraftTensors

/// A structured state space in the place of attention and feed-forward (Dao and Gu 2024, "Transformers are SSMs", section 7): one projection
/// to the gate, the channels with their inputs and outputs, and the steps; a short convolution, a scan of heads, and a gated norm.
public final class StructuredMixer: Sublayer {
  /// The layers of a mixer, in the order in which they are computed.
  public struct Layers {
    /// From hidden states to gate, channels, inputs, outputs and steps: `[2 * channels + 2 * groups * size + heads, hidden]`.
    public var input: Linear
    /// Over channels, inputs and outputs: `[channels + 2 * groups * size, 1, kernel]`, and a bias for each.
    public var kernel: Parameter, kernelBias: Parameter?
    /// `[heads]` each.
    public var stepBias: Parameter, rates: Parameter, skip: Parameter
    /// `[channels]`: of the norm behind the gate.
    public var normWeight: Parameter
    /// From channels back to hidden states: `[hidden, channels]`.
    public var output: Linear

    /// The layers, with the shapes that their properties have.
    public init(
      input: Linear, kernel: Parameter, kernelBias: Parameter?, stepBias: Parameter, rates: Parameter, skip: Parameter, normWeight: Parameter,
      output: Linear
    ) {
      (self.input, self.kernel, self.kernelBias) = (input, kernel, kernelBias)
      (self.stepBias, self.rates, self.skip, self.normWeight, self.output) = (stepBias, rates, skip, normWeight, output)
    }
  }

  /// The numbers that a mixer's tensors do not tell.
  public struct Options {
    /// The groups of heads that share inputs and outputs, and of channels that are normed together.
    public var groups: Int
    /// The bounds of the sizes of steps.
    public var steps: ClosedRange<Float>
    /// The epsilon of the norm behind the gate.
    public var epsilon: Float

    /// The numbers of a mixer.
    public init(groups: Int, steps: ClosedRange<Float>, epsilon: Float) { (self.groups, self.steps, self.epsilon) = (groups, steps, epsilon) }
  }

  /// The module's path, such as `backbone.layers.0.mixer`.
  public let path: String
  /// The layers of the mixer.
  public let layers: Layers
  /// The numbers that they do not tell.
  public let options: Options
  /// The activation behind the convolution; that of the gate is always SiLU.
  public let activation: Nonlinearity
  /// The states of all heads, `[heads * size * headSize]`.
  public let recurrence: Recurrence

  /// The mixer at the path of `scope`.
  public init(_ scope: Scope, _ layers: Layers, _ options: Options, activation: Nonlinearity) {
    (path, self.layers, self.options, self.activation) = (scope.path, layers, options, activation)
    let channels = layers.output.inputSize
    let size = (layers.kernel.shape[0] - channels) / (2 * options.groups)
    recurrence = Recurrence(scope, stateSize: channels * size)
  }

  public var last: Linear? { layers.output }

  public func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, _ pass: Pass, addingTo residual: consuming Tensor? = nil) -> Tensor {
    let channels = layers.output.inputSize
    let convolved = layers.kernel.shape[0]
    let parameters = (convolved - channels) / 2
    let way = RecurrentPass(path, over: x, layout, pass, keeping: (layers.kernel.shape.columns - 1) * convolved, recurrence)
    let projected = layers.input(x, pass)
    let convolution = causalConvolution(
      projected.columns(channels..<channels + convolved), weight: layers.kernel.operand, bias: layers.kernelBias?.operand, way.rows,
      from: way.earlier)
    let mixed = activation(convolution.output)
    let scan = structuredScan(
      StructuredScanInputs(
        mixed.columns(0..<channels), delta: projected.columns(channels + convolved..<projected.shape.columns),
        stepBias: layers.stepBias.operand, rates: layers.rates.operand, input: mixed.columns(channels..<channels + parameters),
        output: mixed.columns(channels + parameters..<convolved), skip: layers.skip.operand, groups: options.groups, steps: options.steps),
      way.rows, from: way.start)
    way.leave(convolution.state, scan.state)
    return layers.output(norm(gated(projected.columns(0..<channels), scan.output, .silu)), joining: residual, dropout: 0, pass)
  }

  /// The norm of every group of channels.
  private func norm(_ x: Tensor) -> Tensor {
    guard options.groups > 1 else { return rmsNorm(x, weight: layers.normWeight.operand, epsilon: options.epsilon) }
    let ones = Tensor(repeating: 1, shape: [x.shape.columns / options.groups])
    return scaleColumns(rmsNorm(x, weight: ones, epsilon: options.epsilon), by: layers.normWeight.operand)
  }
}
