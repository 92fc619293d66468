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
/// States are kept at the first row of every chunk only, and computed again from there on the way back.
/// - Parameter state: `[sequences, heads * headSize * headSize]`, the transposed `S` before the first row of each sequence; zero where nil.
/// - Returns: `[rows, heads * headSize]`, and the state behind the last row where one was given, which no gradient leaves.
public func matrixKeyValue(
  _ inputs: MatrixKeyValueInputs, headSize: Int, _ rows: SequenceRows, from state: Tensor? = nil
) -> (output: Tensor, state: Tensor?) {
  let recurrence = MatrixKeyValue(rows: rows, headSize: headSize, width: inputs.key.shape.columns)
  precondition(inputs.tensors.allSatisfy { $0.shape == [rows.count, recurrence.width] }, "\(inputs.tensors.map(\.shape)) for \(rows.count) rows")
  precondition(recurrence.width % headSize == 0 && headSize <= MatrixKeyValueInputs.largestHeadSize, "heads of \(headSize) channels")
  let all = inputs.tensors + (state.map { [$0] } ?? [])
  let next = state.map { concatenateRows([$0.detached]) } ?? .zeros([rows.spans.count, recurrence.stateSize])
  let states = all.contains(where: \.isTracked) ? Tensor(uninitialized: [rows.chunks().count, recurrence.stateSize]) : nil
  let out = recurrence.forward(inputs.tensors, state: next, states: states)
  guard let states else { return (out, state == nil ? nil : next) }
  // The states belong to these very decays, which are exponents.
  let saved = all.enumerated().map { Saved($1, exactly: $0 == 1) }
  let savedStates = Saved(states, exactly: true)
  let result = recorded("matrixKeyValue", out, from: all.map(\.slot)) { gradient, tape in
    let gradients = recurrence.gradients(gradient, saved.prefix(4).map(\.tensor), savedStates.tensor)
    for (gradient, input) in zip(gradients, saved) { tape.accumulate(gradient.reshaped(to: input.slot.shape), into: input.slot) }
  }
  return (result, state == nil ? nil : next)
}

/// One recurrence, forward and backward.
private struct MatrixKeyValue {
  let rows: SequenceRows
  let headSize: Int, width: Int

  var heads: Int { width / headSize }
  var headStateSize: Int { headSize * headSize }
  var stateSize: Int { heads * headStateSize }

  /// Runs `body` for every head of every sequence that has rows.
  private func forEach(_ body: (_ sequence: Int, _ at: Int, _ head: Int, _ count: Int) -> Void) {
    parallel(rows.spans.count * heads) { task in
      let (sequence, head) = (task / heads, task % heads)
      guard !rows.spans[sequence].isEmpty else { return }
      body(sequence, rows.spans[sequence].lowerBound * width + head * headSize, head, rows.spans[sequence].count)
    }
  }

  /// - Parameters:
  ///   - state: changed in place.
  ///   - states: takes the state before every chunk.
  func forward(_ inputs: [Tensor], state: Tensor, states: Tensor?) -> Tensor {
    let out = rows.makeRows(width)
    let chunks = rows.chunks().first
    let x = inputs.map(\.pointer)
    let (o, s, kept) = (out.mutablePointer, state.mutablePointer, states?.mutablePointer)
    forEach { sequence, at, head, count in
      graft_matrix_key_value(
        o + at, s + sequence * stateSize + head * headStateSize,
        kept.map { $0 + chunks[sequence] * stateSize + head * headStateSize }, x[0] + at, x[1] + at, x[2] + at, x[3] + at, count, headSize, width,
        stateSize)
    }
    return out
  }

  /// - Returns: the gradients of the inputs, and of the states before the first rows.
  func gradients(_ gradient: Tensor, _ inputs: [Tensor], _ states: Tensor) -> [Tensor] {
    let results = inputs.map { _ in rows.makeRows(width) }
    let dState = Tensor.zeros([rows.spans.count, stateSize])
    let chunks = rows.chunks().first
    let d = results.map(\.mutablePointer)
    let x = inputs.map(\.pointer)
    let (start, dy, kept) = (dState.mutablePointer, gradient.pointer, states.pointer)
    forEach { sequence, at, head, count in
      let scratch = Tensor(uninitialized: [Int(GRAFT_SCAN_CHUNK) * headStateSize])
      graft_matrix_key_value_gradient(
        d[0] + at, d[1] + at, d[2] + at, d[3] + at, start + sequence * stateSize + head * headStateSize, scratch.mutablePointer, dy + at,
        kept + chunks[sequence] * stateSize + head * headStateSize, x[0] + at, x[1] + at, x[2] + at, x[3] + at, count, headSize, width, stateSize)
    }
    return results + [dState]
  }
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
