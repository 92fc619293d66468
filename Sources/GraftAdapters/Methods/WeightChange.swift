import GraftLayers
import GraftTensors

/// An adapter that adds a matrix to its layer's weight: `y = (W + ΔW) x + b`.
protocol WeightChange: LinearAdapter {
  /// `ΔW [out, in]`, of the trained values and, in some methods, of the weight.
  /// - Parameter weight: `[out, in]`.
  func change(of weight: @autoclosure () -> Tensor) -> Tensor
  /// The probability with which an element of what `ΔW` multiplies is dropped, and the path of its random stream.
  var dropout: (probability: Float, path: String) { get }
}

extension WeightChange {
  var dropout: (probability: Float, path: String) { (0, "") }

  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor {
    linear(pass.dropout(x, dropout.probability, at: dropout.path), change(of: base.matrix), addingTo: base.plain(x))
  }

  func merge(into base: Linear) throws(TuningError) { try base.merge { $0 + change(of: $0) } }
}

/// An adapter that turns its layer's input: `y = W R x + b`.
protocol InputRotation: LinearAdapter {
  /// - Parameter x: `[rows, in]`.
  func rotated(_ x: Tensor) -> Tensor
}

extension InputRotation {
  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor { base.plain(rotated(x)) }

  /// `W (x R)` is `(W Rᵀ) x`.
  func merge(into base: Linear) throws(TuningError) {
    try base.merge { matrixProduct($0, rotated(.identity(base.inputSize)), transposingSecond: true) }
  }
}

extension Linear {
  /// The weight as a float32 `[out, in]`.
  var matrix: Tensor {
    let dense = weight.dense()
    return layout == .outputByInput ? dense : dense.transposed
  }

  /// The layer's product without its bias.
  func product(_ x: Tensor) -> Tensor { linear(x, weight.matrix, layout: layout) }
}

/// The lengths of the rows `[rows]`.
func rowLengths(of x: Tensor) -> Tensor {
  Tensor((0..<x.shape.rows).map { Float(x.rows($0..<$0 + 1).sumOfSquares.squareRoot()) })
}

/// Every row over its length, which is at least `floor`.
func unitRows(_ x: Tensor, floor: Float = 0) -> Tensor {
  func ratios(_ lengths: Tensor) -> Tensor { Tensor(lengths.values.map { 1 / max($0, floor) }) }
  return customOperation("unitRows", of: [x]) { inputs in
    scaleRows(inputs[0], by: ratios(rowLengths(of: inputs[0])))
  } pullback: { gradient, inputs, output in
    let lengths = rowLengths(of: inputs[0])
    // What lies along the row changes its length alone, as far as that counts.
    let counted = Tensor(lengths.values.map { $0 < floor ? 0 : -1 }, [lengths.elementCount, 1])
    let along = linear(gradient * output, Tensor(repeating: 1, shape: [1, output.shape.columns])) * counted
    return [scaleRows(gradient + scaleRows(output, by: along), by: ratios(lengths))]
  }
}
