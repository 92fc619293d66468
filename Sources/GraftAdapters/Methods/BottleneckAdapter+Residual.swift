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
    up(pass.dropout(activate(down(z), activation), dropout, at: path))
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

  package enum Scale {
    case constant(Float)
    /// `[1]`.
    case learned(Parameter)
  }

  let network: Bottleneck
  let input: Input
  let scale: Scale

  package init(_ network: Bottleneck, input: Input, scale: Scale) { (self.network, self.input, self.scale) = (network, input, scale) }

  package func callAsFunction(_ y: Tensor, joining residual: Tensor, _ pass: Pass) -> Tensor {
    let sum = residual + y
    let read =
      switch input {
      case .output: y
      case .residual: residual
      case .sum(let norm): norm?(sum) ?? sum
      }
    let found = network(read, pass)
    switch scale {
    case .constant(let factor): return sum + (factor == 1 ? found : factor * found)
    case .learned(let factor): return sum + scaleAll(found, by: factor.operand)
    }
  }
}
