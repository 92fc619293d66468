/// The search for the operation that first produces a number which is not finite.
///
/// Steps repeat to the bit: one whose loss or gradient is not finite is computed once more inside of a search, which looks at every
/// parameter that is read, every operation's output, and every gradient on the way back. Outside of one nothing is looked at.
///
///     let search = NonFiniteSearch()
///     search.run { tape.gradients(of: tape.record { model.loss(batch) }) }
///     print(search.finding)
public final class NonFiniteSearch {
  /// The first tensor that holds such a number.
  public struct Finding: Sendable, Hashable {
    /// The kinds of tensors that are looked at.
    public enum Kind: Sendable, Hashable {
      /// A parameter as it was read.
      case parameter(path: String, isTrainable: Bool)
      /// The output of an operation.
      case output
      /// The gradient of an operation's input, which is a parameter where it has a path.
      case gradient(of: String?)
    }

    /// The kind of the tensor.
    public let kind: Kind
    /// The operation that produced the tensor, forward or backward; nil for a parameter.
    public let operation: String?
    /// The path of the parameter that was read last before the operation: its own, or that of the layer before it.
    public let place: String?
    /// The shape of the tensor.
    public let shape: Shape
    /// The row-major position of the number.
    public let index: Int
    /// The number itself: an infinity, or not a number.
    public let value: Float
  }

  /// The first finding; nil where everything that was looked at is finite.
  public private(set) var finding: Finding?
  /// The parameter that was read last.
  private(set) var place: String?
  /// The operation whose gradient is being taken back, with its place.
  private var reversed: (operation: StaticString, place: String?)?

  /// A search that has found nothing yet.
  public init() {}

  /// The search that this thread computes in, if any.
  static var current: NonFiniteSearch? { ExecutionFrame.current?.search }

  /// Runs `body` on this thread inside of the search, under the conditions and on the tape that there are.
  public func run<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
    try ExecutionFrame(Execution.current, tape: Tape.current, search: self).run(body)
  }

  func look(at parameter: Parameter) {
    guard finding == nil else { return }
    place = parameter.path
    look(at: parameter.dense(), .parameter(path: parameter.path, isTrainable: parameter.isTrainable), nil, at: nil)
  }

  func look(at output: Tensor, of operation: StaticString) { look(at: output, .output, operation, at: place) }

  /// Notes the operation whose pullback runs next.
  func goBack(through operation: StaticString, at place: String?) { reversed = (operation, place) }

  /// - Parameter path: that of the parameter whose gradient it is.
  func look(at gradient: Tensor, of path: String?) { look(at: gradient, .gradient(of: path), reversed?.operation, at: reversed?.place) }

  private func look(at tensor: Tensor, _ kind: Finding.Kind, _ operation: StaticString?, at place: String?) {
    guard finding == nil, tensor.dtype == .float32, let index = tensor.firstNonFiniteIndex else { return }
    finding = Finding(
      kind: kind, operation: operation.map { "\($0)" }, place: place, shape: tensor.shape, index: index, value: tensor.values[index])
  }
}

extension NonFiniteSearch.Finding: CustomStringConvertible {
  /// Such as `linear at model.layers.0.mlp.up_proj.weight gives inf (row 3, column 5 of [12, 48])`.
  public var description: String {
    let producer = (operation ?? "the loss") + (place.map { " at \($0)" } ?? "")
    return switch kind {
    case .parameter(let path, _): "\(path) holds \(element)"
    case .output: "\(producer) gives \(element)"
    case .gradient(let path): "the way back through \(producer) gives \(element) in the gradient of \(path ?? "its input")"
    }
  }

  private var element: String { "\(value) (row \(index / shape.columns), column \(index % shape.columns) of \(shape))" }
}
