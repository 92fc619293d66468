import GraftLayers
import GraftTensors

/// An adapter that adds a linear function of the layer's input, and can therefore be folded into its weight.
public protocol AdditiveAdapter: LinearAdapter {
  /// - Parameters:
  ///   - x: `[rows, in]`.
  ///   - base: `[rows, out]`, the layer's own output, to which the adapter's is added.
  func change(_ x: Tensor, addingTo base: consuming Tensor, _ pass: Pass) -> Tensor
}

extension AdditiveAdapter {
  public func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor { change(x, addingTo: base.plain(x), pass) }

  /// The function's matrix is what it makes of the identity.
  public func merge(into base: Linear) throws(TuningError) {
    try base.merge { change(.identity(base.inputSize), addingTo: $0.transposed, .inference).transposed }
  }
}

extension Tensor {
  /// `[size, size]` with ones on the diagonal.
  static func identity(_ size: Int) -> Tensor {
    var values = [Float](repeating: 0, count: size * size)
    for index in 0..<size { values[index * size + index] = 1 }
    return Tensor(values, [size, size])
  }
}

/// Every element times one trained number `[1]`.
func scaleAll(_ x: Tensor, by factor: Tensor) -> Tensor {
  scaleColumns(x.reshaped(to: [x.elementCount, 1]), by: factor).reshaped(to: x.shape)
}
