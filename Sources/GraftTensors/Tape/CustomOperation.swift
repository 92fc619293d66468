/// An operation of one's own, recorded like those of this module.
///
///     /// `cap * tanh(x / cap)`, elementwise.
///     func softcap(_ x: Tensor, cap: Float) -> Tensor {
///       customOperation("softcap", of: [x]) { inputs in
///         cap * activate((1 / cap) * inputs[0], .tanh)
///       } pullback: { gradient, inputs, output in
///         let slope = (1 / cap) * output
///         return [gradient - gradient * slope * slope]
///       }
///     }
///
/// - Parameters:
///   - name: shown in messages.
///   - inputs: every tensor that a gradient goes to.
///   - forward: computes the output from the inputs' values. What it computes is not recorded.
///   - pullback: takes the gradient of the output to those of the inputs: as many as there are inputs, in their order,
///     each of its input's shape, or nil where the output does not depend on it.
/// - Returns: the output, float32.
public func customOperation(
  _ name: StaticString, of inputs: [Tensor], forward: ([Tensor]) -> Tensor,
  pullback: @escaping (_ gradient: Tensor, _ inputs: [Tensor], _ output: Tensor) -> [Tensor?]
) -> Tensor {
  let values = inputs.map(\.detached)
  let slots = inputs.map(\.slot)
  let output = forward(values).detached
  let (savedValues, savedOutput) = (values.map { Saved($0) }, Saved(output))
  return recorded(name, output, from: slots, mayOmit: true) { gradient, tape in
    let gradients = pullback(gradient, savedValues.map(\.tensor), savedOutput.tensor)
    precondition(gradients.count == slots.count, "\(name) gives \(gradients.count) gradients for \(slots.count) inputs")
    for case (let gradient?, let slot) in zip(gradients, slots) { tape.accumulate(gradient.detached, into: slot) }
  }
}

extension Tensor {
  /// A float32 tensor whose elements, row-major and zero at first, `body` writes.
  public init<E: Error>(_ shape: Shape, writing body: (inout MutableSpan<Float>) throws(E) -> Void) throws(E) {
    self.init(repeating: 0, shape: shape)
    var elements = MutableSpan(_unsafeStart: mutablePointer, count: elementCount)
    try body(&elements)
  }

  /// Lets `body` read the elements of a float32 tensor, row-major.
  public func withElements<R, E: Error>(_ body: (Span<Float>) throws(E) -> R) throws(E) -> R {
    try withExtendedLifetime(storage) { () throws(E) -> R in
      try body(Span(_unsafeStart: pointer, count: elementCount))
    }
  }
}
