import CKernels

/// RWKV's mean of all values so far (Peng et al. 2023, "RWKV", eq. 16): of every channel, row after row of a sequence,
/// `y = (n + exp(first + k) v) / (d + exp(first + k))`, then `n = exp(w) n + exp(k) v` and `d = exp(w) d + exp(k)`, with `w = -exp(decay)`.
///
/// States are kept at the first row of every chunk only, and computed again from there on the way back.
/// - Parameters:
///   - key: `[rows, channels]`.
///   - value: `[rows, channels]`.
///   - decay: `[channels]`: the logarithms of the rates at which rows fade.
///   - first: `[channels]`: what is added to the key of a row's own value.
///   - state: `[sequences, 3 * channels]`, `n`, `d` and the exponent that both are multiples of, before the first row of each sequence
///     (`initialWeightedKeyValue`); nothing where nil.
/// - Returns: `[rows, channels]`, and the state behind the last row where one was given, which no gradient leaves.
public func weightedKeyValue(
  key: Tensor, value: Tensor, decay: Tensor, first: Tensor, _ rows: SequenceRows, from state: Tensor? = nil
) -> (output: Tensor, state: Tensor?) {
  let channels = key.shape.columns
  precondition(key.shape == [rows.count, channels] && value.shape == key.shape, "key \(key.shape), value \(value.shape)")
  precondition(decay.elementCount == channels && first.elementCount == channels, "decay \(decay.shape) for \(channels) channels")
  let rates = scanRates(decay, channels: channels)
  let all = [key, value, decay, first] + (state.map { [$0] } ?? [])
  let states = all.contains(where: \.isTracked) ? Tensor(uninitialized: [rows.chunks().count, 3 * channels]) : nil
  let next = state.map { concatenateRows([$0.detached]) }
  let out = rows.makeRows(channels)
  let chunks = rows.chunks().first
  rows.forEach(channels: channels) { sequence, _, group in
    let at = rows.spans[sequence].lowerBound * channels + group.lowerBound
    graft_wkv(
      out.mutablePointer + at, next.map { $0.mutablePointer + sequence * 3 * channels + group.lowerBound },
      states.map { $0.mutablePointer + chunks[sequence] * 3 * channels + group.lowerBound }, key.pointer + at, value.pointer + at,
      rates.pointer + group.lowerBound, first.pointer + group.lowerBound, rows.spans[sequence].count, group.count, channels)
  }
  guard let states else { return (out, next) }
  // The states belong to these very keys, which are exponents.
  let saved = all.enumerated().map { Saved($1, exactly: $0 == 0) }
  let savedStates = Saved(states, exactly: true)
  let result = recorded("weightedKeyValue", out, from: all.map(\.slot)) { gradient, tape in
    let (key, value, first, states) = (saved[0].tensor, saved[1].tensor, saved[3].tensor, savedStates.tensor)
    let (dkey, dvalue) = (rows.makeRows(channels), rows.makeRows(channels))
    let perSequence = Tensor.zeros([rows.spans.count, 2 * channels])
    let dstate = saved.count > 4 ? Tensor.zeros(saved[4].slot.shape) : nil
    rows.forEach(channels: channels) { sequence, _, group in
      let at = rows.spans[sequence].lowerBound * channels + group.lowerBound
      let own = perSequence.mutablePointer + sequence * 2 * channels + group.lowerBound
      graft_wkv_gradient(
        dkey.mutablePointer + at, dvalue.mutablePointer + at, own, own + channels,
        dstate.map { $0.mutablePointer + sequence * 3 * channels + group.lowerBound }, gradient.pointer + at,
        states.pointer + chunks[sequence] * 3 * channels + group.lowerBound, key.pointer + at, value.pointer + at,
        rates.pointer + group.lowerBound, first.pointer + group.lowerBound, rows.spans[sequence].count, group.count, channels)
    }
    tape.accumulate(dkey, into: saved[0].slot)
    tape.accumulate(dvalue, into: saved[1].slot)
    if let dstate { tape.accumulate(dstate, into: saved[4].slot) }
    for sequence in rows.spans.indices {
      let own = perSequence.pointer + sequence * 2 * channels
      // A rate is its own derivative by its logarithm.
      tape.accumulateZeroed(into: saved[2].slot) { out in for channel in 0..<channels { out[channel] += own[channel] * rates.pointer[channel] } }
      tape.accumulateZeroed(into: saved[3].slot) { graft_accumulate($0, own + channels, channels) }
    }
  }
  return (result, next)
}

/// The state before a sequence's first row: nothing, with an exponent below every key.
/// - Returns: `[3 * channels]`.
public func initialWeightedKeyValue(channels: Int) -> Tensor {
  Tensor([Float](repeating: 0, count: 2 * channels) + [Float](repeating: -1e38, count: channels))
}

/// The inputs of a specimen.
private func mean(_ inputs: [Tensor], _ spans: [Range<Int>]) -> Tensor {
  let rows = SequenceRows(spans, of: inputs[0].shape.rows)
  return weightedKeyValue(
    key: inputs[0], value: inputs[1], decay: inputs[2], first: inputs[3], rows, from: inputs.count > 4 ? inputs[4] : nil
  ).output
}

let weightedKeyValueSpecimens: [OperationSpecimen] = [
  OperationSpecimen("weightedKeyValue", .init("key", [9, 5], in: -2..<2), .init("value", [9, 5]), .init("decay", [5]), .init("first", [5])) {
    mean($0, [0..<3, 4..<9])
  },
  OperationSpecimen(
    "weightedKeyValue, from a state", .init("key", [9, 5], in: -2..<2), .init("value", [9, 5]), .init("decay", [5]), .init("first", [5]),
    .init("state", [2, 15], in: 0.5..<1.5)
  ) { mean($0, [0..<3, 4..<9]) },
  // More rows than a chunk has, more channels than a task.
  OperationSpecimen(
    "weightedKeyValue, chunks", .init("key", [40, 66], in: -2..<2), .init("value", [40, 66]), .init("decay", [66], in: -5..<0),
    .init("first", [66])
  ) { mean($0, [0..<35, 35..<40]) },
]
