import GraftTensors
import Testing

/// Recurrences that go on where an earlier pass ended.
@Suite struct RecurrenceTests {
  private let stream = RandomStream(seed: 11)

  private func random(_ name: String, _ shape: Shape) -> Tensor { stream.split(name).uniform(shape, in: -1..<1) }

  /// Runs 70 rows at once, and in parts that take over each other's state.
  ///
  /// - Parameter pass: computes rows from a state on.
  private func expectSameBits(
    initial: Tensor, _ pass: (_ rows: Range<Int>, _ state: Tensor?) -> (output: Tensor, state: Tensor?),
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let (whole, none) = pass(0..<70, nil)
    #expect(none == nil, sourceLocation: sourceLocation)
    var state = initial
    var parts: [Float] = []
    for rows in [0..<1, 1..<3, 3..<40, 40..<40, 40..<70] {
      let before = state.values
      let (output, next) = pass(rows, state)
      #expect(state.values == before, sourceLocation: sourceLocation)
      state = try #require(next)
      parts += output.values
    }
    #expect(parts == whole.values, sourceLocation: sourceLocation)
  }

  @Test func aConvolutionGoesOn() throws {
    let (x, weight, bias) = (random("x", [70, 5]), random("weight", [5, 1, 4]), random("bias", [5]))
    try expectSameBits(initial: .zeros([1, 15])) { rows, state in
      causalConvolution(x.rows(rows), weight: weight, bias: bias, SequenceRows([0..<rows.count], of: rows.count), from: state)
    }
  }

  @Test func aScanGoesOn() throws {
    let (x, delta, rates, skip) = (random("x", [70, 66]), random("delta", [70, 66]), random("rates", [66, 3]), random("skip", [66]))
    let (input, output) = (random("input", [70, 3]), random("output", [70, 3]))
    try expectSameBits(initial: .zeros([1, 3 * 66])) { rows, state in
      let inputs = ScanInputs(
        x.rows(rows), delta: delta.rows(rows), rates: rates, input: input.rows(rows), output: output.rows(rows), skip: skip)
      return selectiveScan(inputs, SequenceRows([0..<rows.count], of: rows.count), from: state)
    }
  }

  @Test func aMeanGoesOn() throws {
    let (key, value, decay, first) = (random("key", [70, 66]), random("value", [70, 66]), random("decay", [66]), random("first", [66]))
    let initial = initialWeightedKeyValue(channels: 66).reshaped(to: [1, 3 * 66])
    try expectSameBits(initial: initial) { rows, state in
      weightedKeyValue(
        key: key.rows(rows), value: value.rows(rows), decay: decay, first: first, SequenceRows([0..<rows.count], of: rows.count), from: state)
    }
  }

  @Test func aTokenShiftGoesOn() throws {
    let (x, mix) = (random("x", [70, 5]), random("mix", [5]))
    try expectSameBits(initial: .zeros([1, 5])) { rows, state in
      let part = x.rows(rows)
      let sequences = SequenceRows([0..<rows.count], of: rows.count)
      return (tokenShift(part, mix: mix, sequences, from: state), state.map { lastRows(part, sequences, from: $0) })
    }
  }

  /// Keys that e to their power does not fit float32, as RWKV has.
  @Test func aMeanOfLargeKeysIsFinite() {
    let key = Tensor([300, -300, 301, 300, -500, 90], [6, 1])
    let value = Tensor([1, 2, 3, 4, 5, 6], [6, 1])
    let mean = weightedKeyValue(
      key: key, value: value, decay: Tensor([-20]), first: Tensor([0]), SequenceRows([0..<6], of: 6)
    ).output.values
    #expect(mean[0] == 1 && mean[1] == 1)
    #expect(abs(mean[2] - (1 + 2 * 0.731_058_6)) < 1e-4)
    #expect(mean.allSatisfy { $0.isFinite })
  }
}
