import GraftTensors

/// The name of an activation in a configuration: one without parameters, or one of the two that have some.
public enum NonlinearityName: Sendable, Hashable {
  /// An activation without parameters.
  case fixed(Activation)
  /// He et al. 2015, eq. 1, with one slope for all channels, as Transformers has it.
  case prelu
  /// Huang and Schlag 2024, "Deriving Activation Functions Using Integration", eq. 16.
  case xielu

  /// The activation that configurations of Hugging Face checkpoints call `name`.
  public init?(_ name: String) {
    switch name {
    case "prelu": self = .prelu
    case "xielu": self = .xielu
    default:
      guard let activation = Activation(named: name) else { return nil }
      self = .fixed(activation)
    }
  }
}

/// An activation function, with its parameters where it has some.
public final class Nonlinearity {
  private enum Kind {
    case fixed(Activation)
    case prelu(slope: Parameter)
    case xielu(positive: Parameter, negative: Parameter, linear: Float)
  }

  private let kind: Kind

  /// An activation without parameters.
  public init(_ activation: Activation) { kind = .fixed(activation) }

  /// - Parameter scope: the module's own, which the parameters are in.
  /// - Throws: as `Scope.parameter` does.
  public init(_ name: NonlinearityName, in scope: Scope) throws {
    switch name {
    case .fixed(let activation): kind = .fixed(activation)
    case .prelu: kind = .prelu(slope: try scope.parameter("weight", [1], .constant(0.25)))
    case .xielu:
      // The parameters that make 0.8 of both slopes, as they are initialized.
      kind = .xielu(
        positive: try scope.parameter("alpha_p", [1], .constant(0.20339)), negative: try scope.parameter("alpha_n", [1], .constant(-1.05023)),
        linear: try scope.buffer("beta", [], .constant(0.5)).scalar)
      // Where it changes its form: too near 0 to be seen.
      let edge = try scope.buffer("eps", [], .constant(-1e-6)).scalar
      guard abs(edge) < 1e-4 else { throw WeightError("\(scope.path).eps is \(edge); it must be nearly 0") }
    }
  }

  /// The name as a configuration has it.
  var name: String {
    switch kind {
    case .fixed(let activation): activation.rawValue
    case .prelu: "prelu"
    case .xielu: "xielu"
    }
  }

  /// Elementwise.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    switch kind {
    case .fixed(let activation): return activate(x, activation)
    case .prelu(let slope): return activate(x, .relu) - (-1 * x).bent(.relu, by: slope.operand)
    case .xielu(let positive, let negative, let linear):
      let falling = addRow(Self.softplus(negative.operand), Tensor([linear]))
      return linear * x + x.bent(.reluSquared, by: Self.softplus(positive.operand)) + x.bent(.negativeExponential, by: falling)
    }
  }

  /// `self(gate) * up`.
  public func gated(_ gate: Tensor, _ up: Tensor) -> Tensor {
    if case .fixed(let activation) = kind { return GraftTensors.gated(gate, up, activation) }
    return self(gate) * up
  }

  private static func softplus(_ x: Tensor) -> Tensor {
    let root = activate(x.reshaped(to: [1, 1]), .rootSoftplus)
    return root * root
  }
}

extension Tensor {
  /// `factor * activation(self)` of a factor that may be trained.
  fileprivate func bent(_ activation: Activation, by factor: Tensor) -> Tensor {
    scaleColumns(activate(self, activation).reshaped(to: [elementCount, 1]), by: factor.reshaped(to: [1])).reshaped(to: shape)
  }
}
