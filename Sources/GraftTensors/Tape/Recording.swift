/// A tensor's place on a tape, without its memory: what a pullback holds of an input whose elements it does not need.
package struct Slot {
  let node: Int32
  let tapeSerial: UInt32
  let shape: Shape
}

extension Tensor {
  package var slot: Slot { Slot(node: node, tapeSerial: tapeSerial, shape: shape) }

  /// True where the current tape wants this tensor's gradient.
  package var isTracked: Bool { node >= 0 && Tape.current?.serial == tapeSerial }
}

/// Returns `output` as the result of an operation whose gradient is `pullback`.
///
/// There is no other way to get a tracked result. The pullback is dropped at once where no input is tracked, so an
/// operation computes what only its gradient needs after asking `isTracked`. A pullback gives every tracked input a
/// gradient, or stops the program.
package func recorded(_ operation: StaticString, _ output: Tensor, from inputs: Slot?..., pullback: @escaping Tape.Pullback) -> Tensor {
  recorded(operation, output, from: inputs, pullback: pullback)
}

/// The same with the inputs as a list.
/// - Parameter mayOmit: true where the pullback itself says which inputs the output does not depend on.
package func recorded(
  _ operation: StaticString, _ output: Tensor, from inputs: [Slot?], mayOmit: Bool = false, pullback: @escaping Tape.Pullback
) -> Tensor {
  NonFiniteSearch.current?.look(at: output, of: operation)
  guard let tape = recordingTape(operation, inputs) else { return output }
  var tracked = output
  tracked.node = tape.append(operation, from: mayOmit ? [] : inputs, pullback: pullback)
  tracked.tapeSerial = tape.serial
  return tracked
}

/// Returns `outputs` as the results of one operation, whose pullback runs once when the gradients of all are known.
package func recorded(_ operation: StaticString, _ outputs: [Tensor], from inputs: [Slot?], pullback: @escaping Tape.GroupPullback) -> [Tensor] {
  if let search = NonFiniteSearch.current { for output in outputs { search.look(at: output, of: operation) } }
  guard !outputs.isEmpty, let tape = recordingTape(operation, inputs) else { return outputs }
  return tape.appending(operation, outputs, from: inputs, pullback: pullback)
}

/// The tape that has to record an operation of these inputs: none where it tracks none of them.
private func recordingTape(_ operation: StaticString, _ inputs: [Slot?]) -> Tape? {
  guard let tape = Tape.current else { return nil }
  var isTracked = false
  for case let input? in inputs {
    tape.requireNoTensorOfAnEnclosingTape(input, of: operation)
    if tape.tracks(input) { isTracked = true }
  }
  return isTracked ? tape : nil
}

extension Tape {
  /// Runs `body` without recording: what it computes is a constant to the tape around it.
  package static func withoutRecording<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
    try ExecutionFrame(Execution.current, tape: nil).run(body)
  }
}
