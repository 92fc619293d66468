/// `body(inputs)`; where the current `Execution` says so, nothing that its gradient needs is kept, and `body` runs again on the
/// way back (Chen et al. 2016, section 4).
///
/// Parameters that `body` uses receive their gradients from the second run. Nothing is recorded, and nothing computed
/// again, where neither an input is tracked nor `body` uses a trainable parameter. The last block of a stack gains nothing:
/// its activations are needed at once.
/// - Precondition: `body` repeats to the bit, which counter-based randomness makes the case, and every tracked tensor
///   that it reads is one of `inputs`.
public func recomputed(_ inputs: [Tensor], _ body: @escaping ([Tensor]) -> Tensor) -> Tensor {
  recomputed(inputs) { [body($0)] }[0]
}

/// The same with several outputs, such as a block's hidden states and the statistics that its loss is computed from.
public func recomputed(_ inputs: [Tensor], _ body: @escaping ([Tensor]) -> [Tensor]) -> [Tensor] {
  guard let outer = recomputingTape else { return body(inputs) }
  let probe = Tape(within: outer, isProbe: true)
  let outputs = probe.record { body(inputs.map(\.detached)) }
  guard !outputs.isEmpty, probe.hasMetTrainable || inputs.contains(where: outer.tracks) else { return outputs.map(\.detached) }
  // Rounded inputs would make another function of the second run.
  let saved = inputs.map { Saved($0, exactly: true) }
  return outer.appending("recomputed", outputs) { gradients, tape in
    let inner = Tape(within: tape)
    let leaves = saved.map { leaf(of: $0, on: inner, of: tape) }
    let again = inner.record { body(leaves) }
    inner.addGradients(of: zip(again, gradients).compactMap { output, seed in seed.map { (output, $0) } }, to: &tape.sums)
  }
}

/// The tape that a recomputation is recorded on; nil where nothing is recorded, or everything kept.
private var recomputingTape: Tape? {
  guard Execution.current.recomputation, let outer = Tape.current, !outer.isProbe else { return nil }
  return outer
}

/// An input of the second run, whose gradient goes to the outer tape.
private func leaf(of input: Saved, on inner: Tape, of outer: Tape) -> Tensor {
  var leaf = input.tensor.detached
  guard outer.tracks(input.slot) else { return leaf }
  leaf.node = inner.append("input") { gradient, _ in outer.accumulate(gradient, into: input.slot) }
  leaf.tapeSerial = inner.serial
  return leaf
}

let recomputationSpecimens: [OperationSpecimen] = [
  OperationSpecimen("recomputed", .init("x", [5, 4]), .init("weight", [4, 4])) { inputs in
    Execution(recomputation: true).run { recomputed(inputs) { activate(linear($0[0], $0[1]), .tanh) + $0[0] } }
  }
]
