import GraftTensors

/// The norm of every head of a time mixing, with a weight and a bias for each channel.
struct HeadNorm {
  let headSize: Int
  /// `[hidden]` each.
  let weight: Parameter, bias: Parameter
  let epsilon: Float

  func callAsFunction(_ x: Tensor) -> Tensor {
    let ones = Tensor(repeating: 1, shape: [headSize])
    return addRow(scaleColumns(layerNorm(x, weight: ones, bias: nil, epsilon: epsilon), by: weight.operand), bias.operand)
  }
}
