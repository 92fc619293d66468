/// Runs `body` without keeping what its gradient needs, and runs it again on the way back (Chen et al. 2016, section 4).
///
/// Parameters that `body` uses receive their gradients from the second run.
/// - Precondition: `body` repeats to the bit, which counter-based randomness makes the case.
public func checkpointed(_ inputs: [Tensor], _ body: @escaping ([Tensor]) -> Tensor) -> Tensor {
  guard let outer = Tape.current else { return body(inputs) }
  let output = Tape.suspended { body(inputs.map(\.detached)) }
  var tracked = output.detached
  tracked.tapeSerial = outer.serial
  tracked.node = outer.append("checkpointed") { gradient, tape in
    let inner = Tape()
    let leaves = inputs.map { input -> Tensor in
      var leaf = input.detached
      guard tape.tracks(input) else { return leaf }
      leaf.node = inner.append("input") { gradient, _ in tape.accumulate(gradient, into: input) }
      leaf.tapeSerial = inner.serial
      return leaf
    }
    let again = inner.record { body(leaves) }
    inner.backpropagate(from: again, seed: gradient)
  }
  return tracked
}

let checkpointSpecimens: [OperationSpecimen] = [
  OperationSpecimen("checkpointed", .init("x", [5, 4]), .init("weight", [4, 4])) { inputs in
    checkpointed(inputs) { activate(linear($0[0], $0[1]), .tanh) + $0[0] }
  }
]
