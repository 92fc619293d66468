import CKernels

/// The tensors of a generalized delta rule, `[rows, heads * headSize]` each.
public struct DeltaRuleInputs {
  /// The reading vectors, RWKV's receptance.
  public var receptance: Tensor
  /// The decays of the states' keys, before their sigmoid.
  public var decay: Tensor
  /// The keys of what is taken in, and a value for each.
  public var key: Tensor, value: Tensor
  /// Of every head a unit vector along which the state forgets, and how much of it is written anew: the in-context learning rate.
  public var removal: Tensor, rate: Tensor

  /// The inputs, with the shapes that their properties have.
  public init(receptance: Tensor, decay: Tensor, key: Tensor, value: Tensor, removal: Tensor, rate: Tensor) {
    (self.receptance, self.decay, self.key, self.value) = (receptance, decay, key, value)
    (self.removal, self.rate) = (removal, rate)
  }

  /// The most channels that a head may have.
  public static let largestHeadSize = Int(GRAFT_LARGEST_DELTA_HEAD)

  /// Every tensor that a gradient goes to.
  var tensors: [Tensor] { [receptance, decay, key, value, removal, rate] }
}

/// RWKV-7's recurrence, a generalized delta rule (Peng et al. 2025, "RWKV-7 Goose", eq. 15 to 17): of every head, row after row of a
/// sequence, `S = S diag(w) - S κ̂ (κ̂ a)ᵀ + v kᵀ` and `y = S r`, with `w = exp(-sigmoid(decay) / √e)`.
///
/// - Parameter state: `[sequences, heads * headSize * headSize]`, the transposed `S` before the first row of each sequence; zero where nil.
/// - Returns: `[rows, heads * headSize]`, and the state behind the last row where one was given, which no gradient leaves.
public func generalizedDeltaRule(
  _ inputs: DeltaRuleInputs, headSize: Int, _ rows: SequenceRows, from state: Tensor? = nil
) -> (output: Tensor, state: Tensor?) {
  let recurrence = HeadRecurrence(
    name: "generalizedDeltaRule", rows: rows, headSize: headSize, width: inputs.key.shape.columns,
    scratchSize: (Int(GRAFT_SCAN_CHUNK) + 1) * headSize * headSize + Int(GRAFT_SCAN_CHUNK) * headSize
  ) { of, out, state, states, x, count in
    graft_delta_rule(out, state, states, x[0], x[1], x[2], x[3], x[4], x[5], count, of.headSize, of.width, of.stateSize)
  } backward: { of, d, dState, scratch, dy, states, x, count in
    graft_delta_rule_gradient(
      d[0], d[1], d[2], d[3], d[4], d[5], dState, scratch, dy, states, x[0], x[1], x[2], x[3], x[4], x[5], count, of.headSize, of.width,
      of.stateSize)
  }
  return recurrence(inputs.tensors, from: state)
}

/// `x + (r · (k u)) v` of every head: what a token gives to itself past the state (Peng et al. 2025, eq. 19).
///
/// - Parameters:
///   - x: `[rows, heads * headSize]`, as receptance, key and value are.
///   - bonus: `[heads, headSize]`.
public func addKeyBonus(_ x: Tensor, receptance: Tensor, key: Tensor, value: Tensor, bonus: Tensor) -> Tensor {
  let (heads, size) = (bonus.shape[0], bonus.shape[1])
  let (rows, width) = (x.shape.rows, heads * size)
  precondition([x, receptance, key, value].allSatisfy { $0.shape == [rows, width] }, "\(x.shape) with \(heads) heads of \(size)")
  let out = Tensor(uninitialized: x.shape)
  parallel(over: rows, grain: rowGrain(columns: width)) { part in
    let at = part.lowerBound * width
    graft_key_bonus(
      out.mutablePointer + at, x.pointer + at, receptance.pointer + at, key.pointer + at, value.pointer + at, bonus.pointer, part.count, heads, size)
  }
  let (input, saved) = (x.slot, [receptance, key, value, bonus].map { Saved($0) })
  return recorded("addKeyBonus", out, from: [input] + saved.map(\.slot)) { gradient, tape in
    let all = saved.map(\.tensor)
    let results = (0..<3).map { _ in Tensor(uninitialized: [rows, width]) }
    let dBonus = Tensor.zeros(bonus.shape)
    addRowReduction(to: dBonus.mutablePointer, rows: rows, columns: width) { partial, part in
      let at = part.lowerBound * width
      graft_key_bonus_gradient(
        results[0].mutablePointer + at, results[1].mutablePointer + at, results[2].mutablePointer + at, partial, gradient.pointer + at,
        all[0].pointer + at, all[1].pointer + at, all[2].pointer + at, all[3].pointer, part.count, heads, size)
    }
    tape.accumulate(gradient, into: input)
    for (result, input) in zip(results + [dBonus], saved) { tape.accumulate(result, into: input.slot) }
  }
}

/// The inputs of a specimen.
private func rule(_ inputs: [Tensor], headSize: Int, _ spans: [Range<Int>]) -> Tensor {
  let all = DeltaRuleInputs(
    receptance: inputs[0], decay: inputs[1], key: inputs[2], value: inputs[3], removal: inputs[4], rate: inputs[5])
  let rows = SequenceRows(spans, of: inputs[0].shape.rows)
  return generalizedDeltaRule(all, headSize: headSize, rows, from: inputs.count > 6 ? inputs[6] : nil).output
}

let deltaRuleSpecimens: [OperationSpecimen] = [
  OperationSpecimen(
    "generalizedDeltaRule", .init("receptance", [9, 6]), .init("decay", [9, 6], in: -2..<2), .init("key", [9, 6]), .init("value", [9, 6]),
    .init("removal", [9, 6], in: -0.5..<0.5), .init("rate", [9, 6], in: 0..<1), .init("state", [2, 18])
  ) { rule($0, headSize: 3, [0..<3, 4..<9]) },
  // More rows than a chunk has.
  OperationSpecimen(
    "generalizedDeltaRule, chunks", .init("receptance", [40, 4]), .init("decay", [40, 4], in: -2..<2), .init("key", [40, 4]),
    .init("value", [40, 4]), .init("removal", [40, 4], in: -0.5..<0.5), .init("rate", [40, 4], in: 0..<1)
  ) { rule($0, headSize: 2, [0..<35, 35..<40]) },
  OperationSpecimen(
    "addKeyBonus", .init("x", [9, 6]), .init("receptance", [9, 6]), .init("key", [9, 6]), .init("value", [9, 6]), .init("bonus", [2, 3])
  ) { addKeyBonus($0[0], receptance: $0[1], key: $0[2], value: $0[3], bonus: $0[4]) },
]
