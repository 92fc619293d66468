import GraftTensors

/// Momentum made orthogonal by Newton and Schulz's iteration (Jordan et al. 2024, "Muon"), for matrices; AdamW for all else.
///
/// As `torch.optim.Muon` with Nesterov's momentum and decoupled decay, but in float32 throughout.
public struct Muon: UpdateRule {
  /// The factor of a matrix's learning rate.
  public enum RateScale: Sendable, Hashable {
    /// `sqrt(max(1, rows / columns))`, Jordan's own.
    case original
    /// `0.2 sqrt(max(rows, columns))`: steps of the size of AdamW's, at rates that suit it (Liu et al. 2025, section 2.2).
    case adamW
  }

  /// The decay of the moment.
  public var momentum: Double
  /// The factor of the rate for the shape of a matrix.
  public var rateScale: RateScale
  /// The rule of parameters that are no matrices.
  public var others: AdamW

  /// - Parameter others: the rule of what is no matrix.
  public init(momentum: Double = 0.95, rateScale: RateScale = .adamW, others: AdamW = AdamW()) {
    self.momentum = momentum
    self.rateScale = rateScale
    self.others = others
  }

  public var isElementwise: Bool { false }

  public func state(of shape: Shape) -> [StateDescription] {
    shape.rank == 2 ? [StateDescription("momentum_buffer", shape)] : others.state(of: shape)
  }

  public func update(
    _ weights: inout MutableSpan<Float>, _ state: inout UpdateState, gradient: Span<Float>, shape: Shape, _ context: UpdateContext
  ) {
    guard shape.rank == 2, weights.count > 0 else { return others.update(&weights, &state, gradient: gradient, shape: shape, context) }
    let beta = Float(momentum)
    let direction = Tensor(shape) { out in
      state.with(0) { buffer in
        for i in out.indices {
          let g = gradient[i] * context.gradientScale
          buffer[i] += (1 - beta) * (g - buffer[i])
          out[i] = g + beta * (buffer[i] - g)
        }
      }
    }
    let rate = Float(context.learningRate * factor(of: shape))
    let kept = Float(1 - context.learningRate * context.weightDecay)
    orthogonalized(direction).withElements { update in
      for i in weights.indices { weights[i] = kept * weights[i] - rate * update[i] }
    }
  }

  private func factor(of shape: Shape) -> Double {
    let (rows, columns) = (Double(shape[0]), Double(shape[1]))
    return switch rateScale {
    case .original: max(1, rows / columns).squareRoot()
    case .adamW: 0.2 * max(rows, columns).squareRoot()
    }
  }

  /// A matrix with its singular values near 1: five steps of `X <- a X + (b A + c A²) X`, `A = X Xᵀ`, whose coefficients rise
  /// steeply from zero rather than converge.
  private func orthogonalized(_ matrix: Tensor) -> Tensor {
    let isTall = matrix.shape[0] > matrix.shape[1]
    var x = isTall ? matrix.transposed : matrix
    x = Float(1 / max(x.sumOfSquares.squareRoot(), 1e-7)) * x
    for _ in 0..<5 {
      let gram = matrixProduct(x, x, transposingSecond: true)
      let polynomial = linear(gram, gram, layout: .inputByOutput, scale: 2.0315, addingTo: -4.7750 * gram)
      x = linear(polynomial, x, layout: .inputByOutput, addingTo: 3.4445 * x)
    }
    return isTall ? x.transposed : x
  }
}
