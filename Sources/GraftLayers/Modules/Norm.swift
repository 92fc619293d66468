import GraftTensors

/// A normalisation over the innermost axis: root mean square, or mean and variance.
public final class Norm {
  /// The statistic that rows are divided by.
  public enum Kind: Sendable, Hashable {
    /// `offset` is 1 for the families that store `weight - 1`.
    case rms(offset: Float)
    /// Mean and variance (Ba et al. 2016).
    case layer
  }

  /// The module's path, such as `model.norm`.
  public let path: String
  /// The statistic that rows are divided by.
  public let kind: Kind
  /// `[width]`.
  public let weight: Parameter
  /// `[width]`, of layer norms that have one.
  public let bias: Parameter?
  /// The number that is added to the variance, or to the mean of squares.
  public let epsilon: Float
  /// The same outside training; RWKV halves its states there, which is as much as another epsilon.
  private let inferenceEpsilon: Float

  /// The norm whose parameters are called `weight` and `bias` in `scope`.
  /// - Throws: as `Scope.parameter` does.
  public init(_ scope: Scope, width: Int, epsilon: Float, inferenceEpsilon: Float? = nil, kind: Kind = .rms(offset: 0), bias hasBias: Bool = false)
    throws
  {
    path = scope.path
    self.kind = kind
    self.epsilon = epsilon
    self.inferenceEpsilon = inferenceEpsilon ?? epsilon
    if case .rms(offset: 1) = kind {
      weight = try scope.parameter("weight", [width], .zeros)
    } else {
      weight = try scope.parameter("weight", [width], .ones)
    }
    bias = hasBias ? try scope.parameter("bias", [width], .zeros) : nil
    scope.catalog.add(Site(path: path, role: nil, module: .norm(self)))
  }

  /// - Parameter x: `[rows, columns]`, its columns a multiple of the width for a norm of every head.
  public func callAsFunction(_ x: Tensor, _ pass: Pass? = nil) -> Tensor {
    let epsilon = pass?.isTraining ?? true ? epsilon : inferenceEpsilon
    return switch kind {
    case .rms(let offset): rmsNorm(x, weight: weight.operand, offset: offset, epsilon: epsilon)
    case .layer: layerNorm(x, weight: weight.operand, bias: bias?.operand, epsilon: epsilon)
    }
  }
}
