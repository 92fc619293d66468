import CKernels

/// The gradients of a loss by parameter: a value that is summed over micro-batches, scaled, and handed to an optimizer.
public struct Gradients {
  private var entries: [(parameter: Parameter, tensor: Tensor?)] = []
  private var positions: [ObjectIdentifier: Int] = [:]

  /// No gradients.
  public init() {}

  /// The gradient of a parameter, shaped like its value; nil where the loss was not computed from it.
  public subscript(parameter: Parameter) -> Tensor? {
    get { positions[ObjectIdentifier(parameter)].flatMap { entries[$0].tensor } }
    set {
      precondition(newValue.map { $0.shape == parameter.shape } ?? true, "a gradient \(newValue?.shape as Any) for \(parameter.path)")
      entries[position(of: parameter)].tensor = newValue
    }
  }

  /// The parameters that have a gradient, in the order in which reverse passes reached them.
  public var parameters: [Parameter] { entries.filter { $0.tensor != nil }.map(\.parameter) }

  /// The L2 norm of the gradients of `parameters`, whose squares are added in that order.
  public func norm(over parameters: [Parameter]) -> Double {
    parameters.reduce(0) { $0 + (self[$1]?.sumOfSquares ?? 0) }.squareRoot()
  }

  /// The L2 norm of all gradients.
  public var norm: Double { norm(over: entries.map(\.parameter)) }

  /// Adds the gradients of another reverse pass, in place where nobody else holds the memory of these.
  public mutating func add(_ other: consuming Gradients) {
    for index in other.entries.indices {
      guard let tensor = other.entries[index].tensor.take() else { continue }
      add(tensor, to: other.entries[index].parameter)
    }
  }

  /// Multiplies every gradient by a factor.
  public mutating func scale(by factor: Float) {
    for parameter in parameters {
      update(parameter) { elements in
        for index in elements.indices { elements[index] *= factor }
      }
    }
  }

  /// Lets `body` write a gradient's elements in place, row-major; nothing where there is none.
  public mutating func update(_ parameter: Parameter, _ body: (inout MutableSpan<Float>) -> Void) {
    let position = position(of: parameter)
    guard var tensor = entries[position].tensor.take() else { return }
    tensor.makeUnique()
    var elements = MutableSpan(_unsafeStart: tensor.mutablePointer, count: tensor.elementCount)
    body(&elements)
    entries[position].tensor = tensor
  }

  /// Adds a contribution to the gradient of a parameter; the first one is kept as it is.
  package mutating func add(_ contribution: consuming Tensor, to parameter: Parameter) {
    let position = position(of: parameter)
    guard var sum = entries[position].tensor.take() else {
      entries[position].tensor = contribution
      return
    }
    sum.makeUnique()
    let out = sum.mutablePointer
    let source = contribution.pointer
    parallel(over: sum.elementCount, grain: elementwiseGrain) { part in
      graft_accumulate(out + part.lowerBound, source + part.lowerBound, part.count)
    }
    entries[position].tensor = sum
  }

  private mutating func position(of parameter: Parameter) -> Int {
    if let known = positions[ObjectIdentifier(parameter)] { return known }
    entries.append((parameter, nil))
    positions[ObjectIdentifier(parameter)] = entries.count - 1
    return entries.count - 1
  }
}
