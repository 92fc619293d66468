import CKernels

/// The tensors of a selective scan.
public struct ScanInputs {
  /// `[rows, channels]`.
  public var x: Tensor
  /// `[rows, channels]`: the sizes of steps, before softplus.
  public var delta: Tensor
  /// `[channels, size]`: the logarithms of the rates at which states fade, `A_log`.
  public var rates: Tensor
  /// `[rows, size]`: what of an input goes into the states, and what of the states comes out.
  public var input: Tensor, output: Tensor
  /// `[channels]`: the share of an input that goes past the states.
  public var skip: Tensor

  /// The inputs, with the shapes that their properties have.
  public init(_ x: Tensor, delta: Tensor, rates: Tensor, input: Tensor, output: Tensor, skip: Tensor) {
    (self.x, self.delta, self.rates) = (x, delta, rates)
    (self.input, self.output, self.skip) = (input, output, skip)
  }
}

/// The selective scan of a state space (Gu and Dao 2023, "Mamba", algorithm 2): of every channel, row after row of a sequence,
/// `h = exp(Δ A) h + Δ x B` and `y = C h + D x`, with `Δ = softplus(delta)` and `A = -exp(rates)`.
///
/// States are kept at the first row of every chunk only, and computed again from there on the way back.
/// - Parameter state: `[sequences, size * channels]`, `h` before the first row of each sequence; zero where nil.
/// - Returns: `[rows, channels]`, and the state behind the last row where one was given, which no gradient leaves.
public func selectiveScan(_ inputs: ScanInputs, _ rows: SequenceRows, from state: Tensor? = nil) -> (output: Tensor, state: Tensor?) {
  let channels = inputs.x.shape.columns
  let size = inputs.rates.shape.columns
  precondition(inputs.x.shape == [rows.count, channels] && inputs.delta.shape == inputs.x.shape, "\(inputs.x.shape), delta \(inputs.delta.shape)")
  precondition(inputs.rates.shape == [channels, size] && inputs.skip.elementCount == channels, "rates \(inputs.rates.shape) for \(channels)")
  precondition(inputs.input.shape == [rows.count, size] && inputs.output.shape == [rows.count, size], "\(inputs.input.shape) for size \(size)")
  let scan = Scan(rows: rows, channels: channels, size: size, rates: scanRates(inputs.rates, channels: channels))
  let all = [inputs.x, inputs.delta, inputs.rates, inputs.input, inputs.output, inputs.skip] + (state.map { [$0] } ?? [])
  let states = all.contains(where: \.isTracked) ? Tensor(uninitialized: [rows.chunks().count, size * channels]) : nil
  let next = state.map { concatenateRows([$0.detached]) }
  let out = scan.forward(inputs, state: next, states: states)
  guard let states else { return (out, next) }
  // The states belong to these very steps, which are exponents.
  let saved = all.enumerated().map { Saved($1, exactly: $0 == 1) }
  let savedStates = Saved(states, exactly: true)
  let result = recorded("selectiveScan", out, from: all.map(\.slot)) { gradient, tape in
    let all = saved.map(\.tensor)
    let inputs = ScanInputs(all[0], delta: all[1], rates: all[2], input: all[3], output: all[4], skip: all[5])
    scan.accumulateGradients(gradient, inputs, savedStates.tensor, from: all.count > 6 ? all[6] : nil, on: tape)
  }
  return (result, next)
}

/// One selective scan, forward and backward.
private struct Scan {
  let rows: SequenceRows
  let channels: Int
  let size: Int
  /// `[size, channels]`: `A`.
  let rates: Tensor

  /// - Parameters:
  ///   - state: changed in place.
  ///   - states: takes the state before every chunk.
  func forward(_ inputs: ScanInputs, state: Tensor?, states: Tensor?) -> Tensor {
    let out = rows.makeRows(channels)
    let chunks = rows.chunks().first
    rows.forEach(channels: channels) { sequence, _, group in
      let (first, count) = (rows.spans[sequence].lowerBound, rows.spans[sequence].count)
      let at = first * channels + group.lowerBound
      withUnsafeTemporaryAllocation(of: Float.self, capacity: size * Int(GRAFT_SCAN_CHANNELS)) { scratch in
        graft_selective_scan(
          out.mutablePointer + at, state.map { $0.mutablePointer + sequence * size * channels + group.lowerBound },
          states.map { $0.mutablePointer + chunks[sequence] * size * channels + group.lowerBound }, scratch.baseAddress, inputs.x.pointer + at,
          inputs.delta.pointer + at, rates.pointer + group.lowerBound, inputs.input.pointer + first * size, inputs.output.pointer + first * size,
          inputs.skip.pointer + group.lowerBound, count, group.count, channels, size)
      }
    }
    return out
  }

  /// - Parameters:
  ///   - states: the states before every chunk.
  ///   - state: the states before the first rows; zero where nil.
  func accumulateGradients(_ gradient: Tensor, _ inputs: ScanInputs, _ states: Tensor, from state: Tensor?, on tape: Tape) {
    let dx = rows.makeRows(channels)
    let ddelta = rows.makeRows(channels)
    // What several channels, or several sequences, add to is written apart and added up in order.
    let groups = (channels + Int(GRAFT_SCAN_CHANNELS) - 1) / Int(GRAFT_SCAN_CHANNELS)
    let places = rows.count * size
    let dinput = rows.coversAll ? Tensor(uninitialized: [groups, places]) : .zeros([groups, places])
    let doutput = rows.coversAll ? Tensor(uninitialized: [groups, places]) : .zeros([groups, places])
    let perSequence = Tensor.zeros([rows.spans.count, (size + 1) * channels])
    let dstate = state.map { Tensor.zeros($0.shape) }
    let chunks = rows.chunks().first
    let scratchSize = (2 * Int(GRAFT_SCAN_CHUNK) + 2) * size * Int(GRAFT_SCAN_CHANNELS)
    rows.forEach(channels: channels) { sequence, group, part in
      let (first, count) = (rows.spans[sequence].lowerBound, rows.spans[sequence].count)
      let at = first * channels + part.lowerBound
      let shared = group * places + first * size
      let own = perSequence.mutablePointer + sequence * (size + 1) * channels + part.lowerBound
      withUnsafeTemporaryAllocation(of: Float.self, capacity: scratchSize) { scratch in
        graft_selective_scan_gradient(
          dx.mutablePointer + at, ddelta.mutablePointer + at, dinput.mutablePointer + shared, doutput.mutablePointer + shared, own,
          own + size * channels, dstate.map { $0.mutablePointer + sequence * size * channels + part.lowerBound }, scratch.baseAddress,
          gradient.pointer + at, states.pointer + chunks[sequence] * size * channels + part.lowerBound,
          inputs.x.pointer + at, inputs.delta.pointer + at, rates.pointer + part.lowerBound, inputs.input.pointer + first * size,
          inputs.output.pointer + first * size, inputs.skip.pointer + part.lowerBound, count, part.count, channels, size)
      }
    }
    tape.accumulate(dx, into: inputs.x)
    tape.accumulate(ddelta, into: inputs.delta)
    if let state, let dstate { tape.accumulate(dstate, into: state) }
    for (input, partial) in [(inputs.input, dinput), (inputs.output, doutput)] {
      tape.accumulateZeroed(into: input) { out in
        for group in 0..<groups { graft_accumulate(out, partial.pointer + group * places, places) }
      }
    }
    accumulateSequenceSums(perSequence, inputs, on: tape)
  }

  /// Adds up the gradients of rates and skips, which every sequence has a share of.
  private func accumulateSequenceSums(_ perSequence: Tensor, _ inputs: ScanInputs, on tape: Tape) {
    let sums = Tensor.zeros([size + 1, channels])
    let s = sums.mutablePointer
    for sequence in rows.spans.indices {
      graft_accumulate(s, perSequence.pointer + sequence * (size + 1) * channels, (size + 1) * channels)
    }
    tape.accumulateZeroed(into: inputs.rates) { out in
      // A is its own derivative by its logarithm.
      for channel in 0..<channels {
        for index in 0..<size { out[channel * size + index] += s[index * channels + channel] * rates.pointer[index * channels + channel] }
      }
    }
    tape.accumulateZeroed(into: inputs.skip) { graft_accumulate($0, s + size * channels, channels) }
  }
}

/// The inputs of a specimen.
private func scan(_ inputs: [Tensor], _ spans: [Range<Int>]) -> Tensor {
  let all = ScanInputs(inputs[0], delta: inputs[1], rates: inputs[2], input: inputs[3], output: inputs[4], skip: inputs[5])
  return selectiveScan(all, SequenceRows(spans, of: inputs[0].shape.rows), from: inputs.count > 6 ? inputs[6] : nil).output
}

let selectiveScanSpecimens: [OperationSpecimen] = [
  OperationSpecimen(
    "selectiveScan", .init("x", [9, 5]), .init("delta", [9, 5]), .init("rates", [5, 3]), .init("input", [9, 3]), .init("output", [9, 3]),
    .init("skip", [5])
  ) { scan($0, [0..<3, 4..<9]) },
  OperationSpecimen(
    "selectiveScan, from a state", .init("x", [9, 5]), .init("delta", [9, 5]), .init("rates", [5, 3]), .init("input", [9, 3]),
    .init("output", [9, 3]), .init("skip", [5]), .init("state", [2, 15])
  ) { scan($0, [0..<3, 4..<9]) },
  // More rows than a chunk has, more channels than a task.
  OperationSpecimen(
    "selectiveScan, chunks", .init("x", [40, 66]), .init("delta", [40, 66], in: -2..<2), .init("rates", [66, 2], in: -2..<1),
    .init("input", [40, 2]), .init("output", [40, 2]), .init("skip", [66])
  ) { scan($0, [0..<35, 35..<40]) },
]
