import GraftLayers
import GraftTensors

/// `up(act(down z))`.
package struct Bottleneck {
  /// `[narrow, width]`, `[narrow]`, `[width, narrow]` and `[width]`.
  let down: Parameter, downBias: Parameter, up: Parameter, upBias: Parameter
  let activation: Activation, dropout: Float

  package init(down: Parameter, downBias: Parameter, up: Parameter, upBias: Parameter, activation: Activation, dropout: Float) {
    (self.down, self.downBias, self.up, self.upBias) = (down, downBias, up, upBias)
    (self.activation, self.dropout) = (activation, dropout)
  }

  func callAsFunction(_ z: Tensor, _ pass: Pass) -> Tensor {
    let narrow = activate(linear(z, down.operand, bias: downBias.operand), activation)
    return linear(pass.dropout(narrow, dropout, at: down.path), up.operand, bias: upBias.operand)
  }
}

/// A half's output `h`, the residual `x` and the bottleneck `f` joined: `s f(z) + h + x`.
package final class BottleneckResidual: ResidualAdapter {
  /// What the bottleneck reads.
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
