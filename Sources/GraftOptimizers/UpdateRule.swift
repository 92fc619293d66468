import GraftTensors

/// The numbers of one step that an update rule reads.
public struct UpdateContext: Sendable {
  /// Counted from 1.
  public var step: Int
  /// The learning rate of this parameter in this step.
  public var learningRate: Double
  /// Multiplied into the gradient, as clipping and loss scaling do.
  public var gradientScale: Float
  /// The parameter's own: 0 where decay leaves it out.
  public var weightDecay: Double
}

/// The way in which weights follow from gradients: a value with its hyper-parameters.
///
/// A rule is elementwise, and then called for slices of a parameter on all threads, or is given parameters whole, since its update
/// depends on their shapes.
public protocol UpdateRule: Sendable {
  /// The tensors that the rule keeps for a parameter of this shape, all zero at first.
  func state(of shape: Shape) -> [StateDescription]
  /// True where the update of an element depends on that element alone.
  var isElementwise: Bool { get }
  /// Updates weights in place.
  ///
  /// - Parameters:
  ///   - weights: a parameter's elements, row-major, or consecutive ones of them where the rule is elementwise.
  ///   - state: the tensors of `state(of:)`, or the same elements of each.
  ///   - gradient: as many elements as `weights`.
  ///   - shape: the parameter's.
  func update(_ weights: inout MutableSpan<Float>, _ state: inout UpdateState, gradient: Span<Float>, shape: Shape, _ context: UpdateContext)
}

extension UpdateRule {
  public var isElementwise: Bool { true }

  /// The number of tensors of a matrix's own shape that the rule keeps for it.
  public var stateCount: Int {
    let matrix: Shape = [2, 3]
    return state(of: matrix).count { $0.shape == matrix }
  }
}

/// The name and the shape of a tensor that a rule keeps for a parameter, such as `exp_avg`.
public struct StateDescription: Sendable, Hashable {
  /// The name under which checkpoints keep it, such as `exp_avg`.
  public let name: String
  /// Its shape: the parameter's, or one that follows from it.
  public let shape: Shape

  /// - Parameter shape: the parameter's, or one that follows from it.
  public init(_ name: String, _ shape: Shape) { (self.name, self.shape) = (name, shape) }
}

/// The tensors that a rule keeps for a parameter, while it updates it.
public struct UpdateState: ~Copyable {
  private let parts: [UnsafeMutableBufferPointer<Float>]

  init(_ parts: [UnsafeMutableBufferPointer<Float>]) { self.parts = parts }

  /// Lets `body` read and write the elements of a tensor.
  public mutating func with<R>(_ index: Int, _ body: (inout MutableSpan<Float>) -> R) -> R {
    var span = MutableSpan(_unsafeElements: parts[index])
    return body(&span)
  }

  /// Lets `body` read and write the elements of two tensors, which are not the same.
  public mutating func with<R>(_ first: Int, _ second: Int, _ body: (inout MutableSpan<Float>, inout MutableSpan<Float>) -> R) -> R {
    precondition(first != second, "tensor \(first) twice")
    var one = MutableSpan(_unsafeElements: parts[first])
    var other = MutableSpan(_unsafeElements: parts[second])
    return body(&one, &other)
  }
}
