import GraftLayers
import GraftTensors

/// A linear map of a bottleneck.
package enum BottleneckProjection {
  /// `[out, in]` and `[out]`.
  case dense(weight: Parameter, bias: Parameter)
  /// `[in, out]` and `[out]`.
  case hypercomplex(HypercomplexMatrix, bias: Parameter)

  func callAsFunction(_ x: Tensor) -> Tensor {
    switch self {
    case .dense(let weight, let bias): linear(x, weight.operand, bias: bias.operand)
    case .hypercomplex(let weight, let bias): linear(x, weight.matrix, bias: bias.operand, layout: .inputByOutput)
    }
  }
}

/// `up(act(down z))`.
package struct Bottleneck {
  let down: BottleneckProjection, up: BottleneckProjection
  let activation: Activation, dropout: Float
  /// Its path, on which random numbers depend.
  let path: String

  package init(down: BottleneckProjection, up: BottleneckProjection, activation: Activation, dropout: Float, path: String) {
    (self.down, self.up, self.activation, self.dropout, self.path) = (down, up, activation, dropout, path)
  }

  func callAsFunction(_ z: Tensor, _ pass: Pass) -> Tensor {
    pass.dropout(up(activate(down(z), activation)), dropout, at: path)
  }
}

/// A bottleneck with its factors: what one place adds.
package struct BottleneckPart {
  package enum Scale {
    case constant(Float)
    /// `[1]`.
    case learned(Parameter)
    /// `[hidden]`.
    case channel(Parameter)
  }

  let network: Bottleneck
  let scale: Scale
  let gate: SequenceGate?
  /// The probability with which a sequence goes without it in training (Huang et al. 2016).
  let stochasticDepth: Float
  let skipping: LayerSkipping?

  init(network: Bottleneck, scale: Scale, gate: SequenceGate?, stochasticDepth: Float, skipping: LayerSkipping?) {
    (self.network, self.scale, self.gate, self.stochasticDepth, self.skipping) = (network, scale, gate, stochasticDepth, skipping)
  }

  /// A bottleneck that no sequence and no pass goes around.
  package init(_ network: Bottleneck, scale: Scale) { self.init(network: network, scale: scale, gate: nil, stochasticDepth: 0, skipping: nil) }

  /// - Parameter z: `[rows, hidden]`.
  /// - Returns: `[rows, hidden]`; nil where the pass goes around it.
  func callAsFunction(_ z: Tensor, _ pass: Pass) -> Tensor? {
    guard skipping?.skips(pass) != true else { return nil }
    var found = network(z, pass)
    if pass.isTraining, stochasticDepth > 0 { found = scaleRows(found, by: depths(of: found, pass)) }
    switch scale {
    case .constant(let factor): found = factor == 1 ? found : factor * found
    case .learned(let factor): found = scaleAll(found, by: factor.operand)
    case .channel(let factors): found = scaleColumns(found, by: factors.operand)
    }
    return gate?(found, reading: z, pass) ?? found
  }

  /// Zero for the sequences that go around, and for the others what keeps the mean.
  private func depths(of x: Tensor, _ pass: Pass) -> Tensor {
    var factors = [Float](repeating: 1, count: x.shape.rows)
    for (index, rows) in pass.sequences.enumerated() {
      let isKept = pass.random.split(network.path).split("depth").unit(at: index) >= stochasticDepth
      for row in rows { factors[row] = isKept ? 1 / (1 - stochasticDepth) : 0 }
    }
    return Tensor(factors, [factors.count, 1])
  }
}

/// The layers that a pass goes around: AdapterDrop (Rücklé et al. 2021, section 3.2).
struct LayerSkipping {
  /// The number of the part's own layer.
  let layer: Int
  /// The most first layers that training goes around, and those that all else does.
  let drawn: Int, fixed: Int

  func skips(_ pass: Pass) -> Bool {
    guard pass.isTraining else { return layer < fixed }
    return drawn > 0 && layer < Int(Float(drawn + 1) * Float(pass.random.split("adapter_drop").unit(at: 0)))
  }
}

/// A half's output `h`, the residual `x` and the bottleneck `f` joined: `s f(z) + h + x`.
package final class BottleneckResidual: ResidualAdapter {
  /// The input of a bottleneck.
  package enum Input {
    /// `h`.
    case output
    /// `x`.
    case residual
    /// `h + x`, through the norm that the model applies to it.
    case sum(norm: Norm?)
  }

  let part: BottleneckPart
  let input: Input
  let bypass: BottleneckBypass

  package init(_ part: BottleneckPart, input: Input, bypass: BottleneckBypass = .beforeNorm) {
    (self.part, self.input, self.bypass) = (part, input, bypass)
  }

  package func callAsFunction(_ y: Tensor, joining residual: Tensor, _ pass: Pass) -> Tensor {
    let sum = residual + y
    let read =
      switch input {
      case .output: y
      case .residual: residual
      case .sum(let norm): norm?(sum) ?? sum
      }
    guard let found = part(read, pass) else { return sum }
    return switch bypass {
    case .beforeNorm: sum + found
    case .behindSum: sum + residual + found
    case .behindNorm: read + residual + found
    }
  }
}

/// A bottleneck behind a whole block, whose norm it reads behind: `x + s f(x)`.
final class BottleneckBehindBlock: StateAdapter {
  let part: BottleneckPart

  init(_ part: BottleneckPart) { self.part = part }

  func callAsFunction(_ x: Tensor, _ pass: Pass) -> Tensor { part(x, pass).map { x + $0 } ?? x }
}
