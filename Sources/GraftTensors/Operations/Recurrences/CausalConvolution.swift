import CKernels

/// A convolution along the rows of every sequence, each channel with weights of its own: `y_t = bias + Σ w_i x_(t - kernel + 1 + i)`.
///
/// - Parameters:
///   - x: `[rows, channels]`.
///   - weight: `[channels, 1, kernel]`, as PyTorch stores it; the last tap is a row's own.
///   - bias: `[channels]`.
///   - state: `[sequences, (kernel - 1) * channels]`, the rows before the first of each sequence; zero where nil. No gradient reaches it.
/// - Returns: `[rows, channels]`, and the state behind the last row where one was given.
public func causalConvolution(
  _ x: Tensor, weight: Tensor, bias: Tensor?, _ rows: SequenceRows, from state: Tensor? = nil
) -> (output: Tensor, state: Tensor?) {
  let kernel = weight.shape.columns
  let channels = x.shape.columns
  precondition(weight.elementCount == channels * kernel && bias?.elementCount ?? channels == channels, "\(weight.shape) for \(x.shape)")
  let taps = transposed(weight, rows: channels, columns: kernel)
  let problem = Convolution(kernel: kernel, channels: channels, rows: rows, state: state)
  let out = problem.output(of: x, taps, bias)
  let (savedInput, weightInput, biasInput) = (Saved(x), weight.slot, bias?.slot)
  let result = recorded("causalConvolution", out, from: x.slot, weightInput, biasInput) { gradient, tape in
    problem.accumulateInputGradient(gradient, taps, into: savedInput.slot, on: tape)
    let wantsBias = biasInput.map(tape.tracks) ?? false
    guard tape.tracks(weightInput) || wantsBias else { return }
    let sums = problem.weightGradients(gradient, savedInput.tensor)
    tape.accumulateZeroed(into: weightInput) { dw in
      let from = sums.pointer
      for channel in 0..<channels {
        for tap in 0..<kernel { dw[channel * kernel + tap] += from[tap * channels + channel] }
      }
    }
    if let biasInput { tape.accumulateZeroed(into: biasInput) { graft_accumulate($0, sums.pointer + kernel * channels, channels) } }
  }
  return (result, problem.lastRows(of: x))
}

/// The row that a token shift's shares are of.
public enum ShiftedShare: Sendable {
  /// A token's own, as in RWKV-4.
  case own
  /// The one before it, as in RWKV-6 and 7.
  case previous
}

/// `mix * x_t + (1 - mix) * x_(t - 1)`, or with the rows exchanged: RWKV's token shift (Peng et al. 2023, eq. 11).
///
/// - Parameters:
///   - x: `[rows, channels]`.
///   - mix: `[channels]`, in any shape.
///   - state: `[sequences, channels]`, the row before the first of each sequence; zero where nil. No gradient reaches it.
/// - Returns: `[rows, channels]`.
public func tokenShift(_ x: Tensor, mix: Tensor, of share: ShiftedShare = .own, _ rows: SequenceRows, from state: Tensor? = nil) -> Tensor {
  let channels = x.shape.columns
  precondition(mix.elementCount == channels, "\(mix.shape) for \(x.shape)")
  let taps = Tensor(uninitialized: [2, channels])
  let (given, other) = share == .own ? (channels, 0) : (0, channels)
  for channel in 0..<channels {
    taps.mutablePointer[other + channel] = 1 - mix.pointer[channel]
    taps.mutablePointer[given + channel] = mix.pointer[channel]
  }
  let problem = Convolution(kernel: 2, channels: channels, rows: rows, state: state)
  let (savedInput, mixInput) = (Saved(x), mix.slot)
  return recorded("tokenShift", problem.output(of: x, taps, nil), from: x.slot, mixInput) { gradient, tape in
    problem.accumulateInputGradient(gradient, taps, into: savedInput.slot, on: tape)
    guard tape.tracks(mixInput) else { return }
    let sums = problem.weightGradients(gradient, savedInput.tensor)
    tape.accumulateZeroed(into: mixInput) { dm in
      for channel in 0..<channels { dm[channel] += sums.pointer[given + channel] - sums.pointer[other + channel] }
    }
  }
}

/// The last row of each sequence, which the token shift of the next one needs.
/// - Parameter state: `[sequences, channels]`: the row before the first, for a sequence without rows.
/// - Returns: `[sequences, channels]`.
public func lastRows(_ x: Tensor, _ rows: SequenceRows, from state: Tensor) -> Tensor {
  Convolution(kernel: 2, channels: x.shape.columns, rows: rows, state: state).lastRows(of: x) ?? state
}

/// One causal convolution, forward and backward, with its taps as `[kernel, channels]`.
private struct Convolution {
  let kernel: Int
  let channels: Int
  let rows: SequenceRows
  let state: Tensor?

  func output(of x: Tensor, _ taps: Tensor, _ bias: Tensor?) -> Tensor {
    precondition(x.shape.rows == rows.count, "\(x.shape) for \(rows.count) rows")
    precondition(state.map { $0.elementCount == rows.spans.count * (kernel - 1) * channels } ?? true, "a state \(state?.shape as Any)")
    let out = Tensor(uninitialized: [rows.count, channels])
    let o = out.mutablePointer
    parallel(over: rows.count, grain: rowGrain(columns: kernel * channels)) { part in
      graft_causal_convolution(
        o, x.pointer, taps.pointer, bias?.pointer, state?.pointer, rows.places.indices, rows.sequences.indices, kernel, part.lowerBound,
        part.count, channels)
    }
    return out
  }

  func accumulateInputGradient(_ gradient: Tensor, _ taps: Tensor, into input: Slot, on tape: Tape) {
    tape.accumulate(into: input) { dx, isFirst in
      parallel(over: rows.count, grain: rowGrain(columns: kernel * channels)) { part in
        graft_causal_convolution_input_gradient(
          dx, gradient.pointer, taps.pointer, rows.places.indices, isFirst ? 0 : 1, kernel, part.lowerBound, part.count, rows.count, channels)
      }
    }
  }

  /// The gradients of the taps and, behind them, of the bias.
  /// - Returns: `[kernel + 1, channels]`.
  func weightGradients(_ gradient: Tensor, _ x: Tensor) -> Tensor {
    let sums = Tensor.zeros([kernel + 1, channels])
    addRowReduction(to: sums.mutablePointer, rows: rows.count, columns: (kernel + 1) * channels) { partial, part in
      graft_causal_convolution_weight_gradient(
        partial, partial + kernel * channels, gradient.pointer, x.pointer, state?.pointer, rows.places.indices, rows.sequences.indices, kernel,
        part.lowerBound, part.count, channels)
    }
    return sums
  }

  /// The rows that a sequence's next ones see; nil where no state is kept.
  func lastRows(of x: Tensor) -> Tensor? {
    guard let state else { return nil }
    let kept = kernel - 1
    let next = Tensor(uninitialized: state.shape)
    for (sequence, span) in rows.spans.enumerated() {
      for index in 0..<kept {
        let row = span.upperBound - kept + index
        let from = row >= span.lowerBound ? x.pointer + row * channels : state.pointer + (sequence * kept + index + span.count) * channels
        (next.mutablePointer + (sequence * kept + index) * channels).update(from: from, count: channels)
      }
    }
    return next
  }
}

/// The elements of a matrix with rows and columns exchanged.
private func transposed(_ matrix: Tensor, rows: Int, columns: Int) -> Tensor {
  let out = Tensor(uninitialized: [columns, rows])
  for row in 0..<rows {
    for column in 0..<columns { out.mutablePointer[column * rows + row] = matrix.pointer[row * columns + column] }
  }
  return out
}

/// Nine rows: two sequences with a row of neither between them.
private var exampleRows: SequenceRows { SequenceRows([0..<3, 4..<9], of: 9) }

let causalConvolutionSpecimens: [OperationSpecimen] = [
  OperationSpecimen("causalConvolution", .init("x", [9, 5]), .init("weight", [5, 1, 4]), .init("bias", [5])) {
    causalConvolution($0[0], weight: $0[1], bias: $0[2], exampleRows).output
  },
  OperationSpecimen("causalConvolution, without bias", .init("x", [9, 70]), .init("weight", [70, 1, 2])) {
    causalConvolution($0[0], weight: $0[1], bias: nil, exampleRows).output
  },
  OperationSpecimen("tokenShift", .init("x", [9, 5]), .init("mix", [1, 1, 5])) { tokenShift($0[0], mix: $0[1], exampleRows) },
  OperationSpecimen("tokenShift, the share of the row before", .init("x", [9, 5]), .init("mix", [1, 1, 5])) {
    tokenShift($0[0], mix: $0[1], of: .previous, exampleRows)
  },
]
