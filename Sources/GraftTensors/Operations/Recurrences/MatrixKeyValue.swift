import CKernels

/// The tensors of a state of values by keys, `[rows, heads * headSize]` each.
public struct MatrixKeyValueInputs {
  /// The reading vectors, RWKV's receptance.
  public var receptance: Tensor
  /// The logarithms of the rates at which the states' keys decay.
  public var decay: Tensor
  /// The keys, and the value that is taken in under each.
  public var key: Tensor, value: Tensor

  /// The inputs, with the shapes that their properties have.
  public init(receptance: Tensor, decay: Tensor, key: Tensor, value: Tensor) {
    (self.receptance, self.decay, self.key, self.value) = (receptance, decay, key, value)
  }

  /// The most channels that a head may have.
  public static let largestHeadSize = Int(GRAFT_LARGEST_DELTA_HEAD)

  /// Every tensor that a gradient goes to.
  var tensors: [Tensor] { [receptance, decay, key, value] }
}

/// The recurrence of RWKV-5 and 6 (Peng et al. 2024, "Eagle and Finch", eq. 15 and 19), but for the bonus of a token itself: of every head, row
/// after row of a sequence, `y = S r` and `S = S diag(w) + v kᵀ`, with `w = exp(-exp(decay))`.
///
/// - Parameter state: `[sequences, heads * headSize * headSize]`, the transposed `S` before the first row of each sequence; zero where nil.
/// - Returns: `[rows, heads * headSize]`, and the state behind the last row where one was given, which no gradient leaves.
public func matrixKeyValue(
  _ inputs: MatrixKeyValueInputs, headSize: Int, _ rows: SequenceRows, from state: Tensor? = nil
) -> (output: Tensor, state: Tensor?) {
  let recurrence = HeadRecurrence(
    name: "matrixKeyValue", rows: rows, headSize: headSize, width: inputs.key.shape.columns,
    scratchSize: Int(GRAFT_SCAN_CHUNK) * headSize * headSize
  ) { of, out, state, states, x, count in
    graft_matrix_key_value(out, state, states, x[0], x[1], x[2], x[3], count, of.headSize, of.width, of.stateSize)
  } backward: { of, d, dState, scratch, dy, states, x, count in
    graft_matrix_key_value_gradient(
      d[0], d[1], d[2], d[3], dState, scratch, dy, states, x[0], x[1], x[2], x[3], count, of.headSize, of.width, of.stateSize)
  }
  return recurrence(inputs.tensors, from: state)
}

/// The inputs of a specimen.
private func keyValue(_ inputs: [Tensor], headSize: Int, _ spans: [Range<Int>]) -> Tensor {
  let all = MatrixKeyValueInputs(receptance: inputs[0], decay: inputs[1], key: inputs[2], value: inputs[3])
  return matrixKeyValue(
    all, headSize: headSize, SequenceRows(spans, of: inputs[0].shape.rows), from: inputs.count > 4 ? inputs[4] : nil
  ).output
}

let matrixKeyValueSpecimens: [OperationSpecimen] = [
  OperationSpecimen(
    "matrixKeyValue", .init("receptance", [9, 6]), .init("decay", [9, 6], in: -3..<1), .init("key", [9, 6]), .init("value", [9, 6]),
    .init("state", [2, 18])
  ) { keyValue($0, headSize: 3, [0..<3, 4..<9]) },
  // More rows than a chunk has.
  OperationSpecimen(
    "matrixKeyValue, chunks", .init("receptance", [40, 4]), .init("decay", [40, 4], in: -3..<1), .init("key", [40, 4]), .init("value", [40, 4])
  ) { keyValue($0, headSize: 2, [0..<35, 35..<40]) },
]
