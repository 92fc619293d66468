import CKernels

/// The elementwise non-linearities of the families we know.
public enum Activation: String, Sendable, Hashable, CaseIterable {
  /// The common ones: `geluTanh` is GELU's approximation, `quickGELU` is `x * sigmoid(1.702 x)`, `silu` is `x * sigmoid(x)`.
  case identity, relu, gelu, geluTanh, silu, quickGELU, tanh, sigmoid
  /// ReLU up to 6, ReLU's square, ReLU with a hundredth of what is below 0, and GELU up to 10.
  case relu6, reluSquared, leakyReLU, clippedGELU
  /// `x * tanh(softplus(x))` (Misra 2019), a normal distribution function (Ma et al. 2022, "Mega"), and `x * relu6(x + 3) / 6`.
  case mish, laplace, hardSwish
  /// The root of softplus.
  case rootSoftplus
  /// `e^x - 1 - x` below 0 and nothing above: the falling half of xIELU.
  case negativeExponential

  var kernel: Int32 {
    switch self {
    case .identity: Int32(GRAFT_IDENTITY.rawValue)
    case .relu: Int32(GRAFT_RELU.rawValue)
    case .gelu: Int32(GRAFT_GELU.rawValue)
    case .geluTanh: Int32(GRAFT_GELU_TANH.rawValue)
    case .silu: Int32(GRAFT_SILU.rawValue)
    case .quickGELU: Int32(GRAFT_QUICK_GELU.rawValue)
    case .tanh: Int32(GRAFT_TANH.rawValue)
    case .sigmoid: Int32(GRAFT_SIGMOID.rawValue)
    case .relu6: Int32(GRAFT_RELU6.rawValue)
    case .reluSquared: Int32(GRAFT_RELU_SQUARED.rawValue)
    case .leakyReLU: Int32(GRAFT_LEAKY_RELU.rawValue)
    case .clippedGELU: Int32(GRAFT_CLIPPED_GELU.rawValue)
    case .mish: Int32(GRAFT_MISH.rawValue)
    case .laplace: Int32(GRAFT_LAPLACE.rawValue)
    case .hardSwish: Int32(GRAFT_HARD_SWISH.rawValue)
    case .rootSoftplus: Int32(GRAFT_ROOT_SOFTPLUS.rawValue)
    case .negativeExponential: Int32(GRAFT_NEGATIVE_EXPONENTIAL.rawValue)
    }
  }

  /// The activation that configurations of Hugging Face checkpoints call `name`.
  public init?(named name: String) {
    switch name {
    case "linear", "identity": self = .identity
    case "relu": self = .relu
    case "gelu", "gelu_python": self = .gelu
    case "gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_fast", "gelu_accurate": self = .geluTanh
    case "silu", "swish": self = .silu
    case "quick_gelu": self = .quickGELU
    case "tanh": self = .tanh
    case "sigmoid": self = .sigmoid
    case "relu6": self = .relu6
    case "relu2": self = .reluSquared
    case "leaky_relu": self = .leakyReLU
    case "gelu_10": self = .clippedGELU
    case "mish": self = .mish
    case "laplace": self = .laplace
    case "hardswish": self = .hardSwish
    case "sqrtsoftplus": self = .rootSoftplus
    default: return nil
    }
  }
}

/// `activation(x)`, elementwise.
public func activate(_ x: Tensor, _ activation: Activation) -> Tensor {
  guard activation != .identity else { return x }
  let kind = activation.kernel
  let count = x.elementCount
  let out = Tensor(uninitialized: x.shape)
  let o = out.mutablePointer
  let from = x.pointer
  parallel(over: count, grain: elementwiseGrain) { part in
    graft_activate(kind, o + part.lowerBound, from + part.lowerBound, part.count)
  }
  let saved = Saved(x)
  return recorded("activate", out, from: x.slot) { (gradient: consuming Tensor, tape: Tape) in
    let dx = gradient.reusedMemory()
    let d = dx.mutablePointer
    let dy = gradient.pointer
    parallel(over: count, grain: elementwiseGrain) { part in
      saved.read(part) { piece, x in graft_activate_gradient(kind, d + piece.lowerBound, x, dy + piece.lowerBound, piece.count) }
    }
    tape.accumulate(dx, into: saved.slot)
  }
}

/// `activation(gate) * up`: the gated linear unit's middle (Shazeer 2020, "GLU Variants Improve Transformer", eq. 5).
///
/// The activation is computed again for the gradient rather than kept.
public func gated(_ gate: Tensor, _ up: Tensor, _ activation: Activation) -> Tensor {
  precondition(gate.shape == up.shape, "gate \(gate.shape), up \(up.shape)")
  let kind = activation.kernel
  let count = gate.elementCount
  let out = Tensor(uninitialized: gate.shape)
  let o = out.mutablePointer
  let g = gate.pointer
  let u = up.pointer
  parallel(over: count, grain: elementwiseGrain) { part in
    let at = part.lowerBound
    graft_gated(kind, o + at, g + at, u + at, 1, part.count, part.count, part.count)
  }
  let (savedGate, savedUp) = (Saved(gate), Saved(up))
  return recorded("gated", out, from: gate.slot, up.slot) { (gradient: consuming Tensor, tape: Tape) in
    let dGate = Tensor(uninitialized: savedGate.slot.shape)
    let dUp = gradient.reusedMemory()
    let dg = dGate.mutablePointer
    let du = dUp.mutablePointer
    let dy = gradient.pointer
    parallel(over: count, grain: elementwiseGrain) { part in
      savedGate.read(part) { outer, gate in
        savedUp.read(outer) { piece, up in
          let at = piece.lowerBound
          graft_gated_gradient(
            kind, dg + at, du + at, gate + (at - outer.lowerBound), up, dy + at, 1, piece.count, piece.count, piece.count)
        }
      }
    }
    tape.accumulate(dGate, into: savedGate.slot)
    tape.accumulate(dUp, into: savedUp.slot)
  }
}

let activationSpecimens: [OperationSpecimen] =
  Activation.allCases.filter { $0 != .identity }.flatMap { activation in
    // Away from kinks, where a difference quotient means nothing.
    let range: Range<Float> =
      switch activation {
      case .relu, .relu6, .reluSquared: 0.1..<2
      case .leakyReLU: -2..<(-0.1)
      case .hardSwish: -2.9..<2.9
      case .clippedGELU: -1..<3
      default: -3..<3
      }
    return [
      OperationSpecimen("activate, \(activation)", .init("x", [4, 9], in: range)) { activate($0[0], activation) },
      OperationSpecimen("gated, \(activation)", .init("gate", [4, 9], in: range), .init("up", [4, 9])) { gated($0[0], $0[1], activation) },
    ]
  }
