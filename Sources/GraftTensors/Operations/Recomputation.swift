/// `body(inputs)`; where the current `Execution` says so, nothing that its gradient needs is kept, and `body` runs again on the
/// way back (Chen et al. 2016, section 4).
///
/// Parameters that `body` uses receive their gradients from the second run. Nothing is recorded, and nothing computed
/// again, where neither an input is tracked nor `body` uses a trainable parameter. The last block of a stack gains nothing:
/// its activations are needed at once.
/// - Precondition: `body` repeats to the bit, which counter-based randomness makes the case, and every tracked tensor
///   that it reads is one of `inputs`.
public func recomputed(_ inputs: [Tensor], _ body: @escaping ([Tensor]) -> Tensor) -> Tensor {
  guard Execution.current.recomputation, let outer = Tape.current, !outer.isProbe else { return body(inputs) }
  let probe = Tape(within: outer, isProbe: true)
  let output = probe.record { body(inputs.map(\.detached)) }.detached
  guard probe.hasMetTrainable || inputs.contains(where: outer.tracks) else { return output }
  var tracked = output
  tracked.tapeSerial = outer.serial
  tracked.node = outer.append("recomputed") { gradient, tape in
    let inner = Tape(within: tape)
    let leaves = inputs.map { input -> Tensor in
      var leaf = input.detached
      guard tape.tracks(input) else { return leaf }
      leaf.node = inner.append("input") { gradient, _ in tape.accumulate(gradient, into: input) }
      leaf.tapeSerial = inner.serial
      return leaf
    }
    let again = inner.record { body(leaves) }
    inner.addGradients(of: again, seed: gradient, to: &tape.sums)
  }
  return tracked
}

let recomputationSpecimens: [OperationSpecimen] = [
  OperationSpecimen("recomputed", .init("x", [5, 4]), .init("weight", [4, 4])) { inputs in
    Execution(recomputation: true).run { recomputed(inputs) { activate(linear($0[0], $0[1]), .tanh) + $0[0] } }
  }
]
