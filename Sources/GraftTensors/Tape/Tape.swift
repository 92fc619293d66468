import CKernels
import Synchronization

/// A Wengert list: what was computed, in order, each entry with the closure that takes its gradient back.
///
/// Operations record only inside `record`, and only where an input is tracked: whatever lies below the first trainable
/// parameter costs neither memory nor time. Reverse mode pops the entries, so that activations are freed as it goes.
public final class Tape {
  /// Takes the gradient of an entry's output to the gradients of its inputs; it is the gradient's last holder on the tape.
  package typealias Pullback = (_ gradient: consuming Tensor, _ tape: Tape) -> Void

  /// The same for an operation of several outputs: a gradient for each, nil where nothing was computed from it.
  package typealias GroupPullback = (_ gradients: [Tensor?], _ tape: Tape) -> Void

  private struct Entry {
    let operation: StaticString
    /// The conditions of the way forward, under which the gradient is taken back.
    let execution = Execution.current
    /// The place of the operation, where it is searched for numbers that are not finite.
    let place = NonFiniteSearch.current?.place
    var gradient: Tensor?
    var pullback: Pullback?
    var parameter: Parameter?
    /// The inputs that the pullback has to give gradients to where they are tracked.
    var inputs: [Slot?] = []
    /// The pullback of an operation of several outputs, in the entry of the last.
    var group: Group?
  }

  /// The pullback of an operation with so many outputs, which take as many entries in a row.
  private struct Group {
    let outputCount: Int
    let pullback: GroupPullback
  }

  private var entries: [Entry] = []
  /// The entries of parameters.
  private var leaves: [ObjectIdentifier: Int32] = [:]
  /// The gradients of parameters found so far, while a reverse pass runs.
  package var sums = Gradients()
  package let serial: UInt32

  /// The serials of the tapes that this one records inside of, as recomputation does.
  private let enclosing: [UInt32]
  /// True where this tape records nothing and only notes whether something trainable was met.
  package let isProbe: Bool
  /// True where a probe has met a trainable parameter.
  package var hasMetTrainable = false

  /// An empty tape.
  public convenience init() { self.init(within: nil) }

  /// An empty tape on which an operation of another tape is computed.
  ///
  /// - Parameter isProbe: true where it only notes that something trainable was met.
  package init(within outer: Tape?, isProbe: Bool = false) {
    serial = UInt32(truncatingIfNeeded: Self.serials.wrappingAdd(1, ordering: .relaxed).newValue)
    enclosing = outer.map { $0.enclosing + [$0.serial] } ?? []
    self.isProbe = isProbe
  }

  private static let serials = Atomic<UInt64>(0)

  /// The tape that this thread records on, if any.
  package static var current: Tape? {
    ExecutionFrame.current?.tape
  }

  /// Runs `body` with this tape recording on this thread.
  public func record<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
    try ExecutionFrame(Execution.current, tape: self).run(body)
  }

  /// The gradients of `seed * loss` by the trainable parameters it was computed from.
  ///
  /// Reverse mode: entries are popped, newest first, and the tape is empty afterwards.
  public func gradients(of loss: Tensor, seed: Float = 1) -> Gradients {
    gradients(of: loss, seed: Tensor(repeating: seed, shape: loss.shape))
  }

  /// The gradients of `sum(seed * output)`.
  /// - Parameter seed: the gradient of the output, of its shape.
  public func gradients(of output: Tensor, seed: Tensor) -> Gradients {
    var sums = Gradients()
    addGradients(of: output, seed: seed, to: &sums)
    return sums
  }

  /// Adds the gradients of a loss to those of earlier tapes, in place.
  public func addGradients(of loss: Tensor, to sums: inout Gradients) {
    addGradients(of: loss, seed: Tensor(repeating: 1, shape: loss.shape), to: &sums)
  }

  /// Adds the gradients of `sum(seed * output)` to those of earlier tapes, in place.
  public func addGradients(of output: Tensor, seed: Tensor, to sums: inout Gradients) {
    addGradients(of: [(output, seed)], to: &sums)
  }

  /// Adds the gradients of the sum of every `sum(seed * output)`, in one reverse pass.
  package func addGradients(of outputs: [(output: Tensor, seed: Tensor)], to sums: inout Gradients) {
    swap(&sums, &self.sums)
    defer {
      swap(&sums, &self.sums)
      entries.removeAll(keepingCapacity: true)
      leaves.removeAll(keepingCapacity: true)
    }
    for (output, seed) in outputs { accumulate(seed, into: output) }
    let frame = ExecutionFrame(Execution.current, tape: nil)
    frame.run {
      while let entry = entries.popLast() {
        frame.execution = entry.execution
        finish(consume entry)
      }
    }
  }

  /// Takes the gradient of a popped entry to its inputs, or to the sums where it is a parameter's.
  private func finish(_ entry: consuming Entry) {
    if let group = entry.group { return finish(group, entry) }
    guard let gradient = entry.gradient.take() else { return }
    if let parameter = entry.parameter {
      sums.add(gradient, to: parameter)
    } else if let pullback = entry.pullback {
      NonFiniteSearch.current?.goBack(through: entry.operation, at: entry.place)
      pullback(consume gradient, self)
      requireGradients(entry.operation, entry.inputs)
    }
  }

  /// Runs the pullback of several outputs, where anything was computed from one of them.
  private func finish(_ group: Group, _ last: Entry) {
    let earlier = entries.suffix(group.outputCount - 1).map(\.gradient)
    entries.removeLast(group.outputCount - 1)
    let gradients = earlier + [last.gradient]
    guard gradients.contains(where: { $0 != nil }) else { return }
    NonFiniteSearch.current?.goBack(through: last.operation, at: last.place)
    group.pullback(gradients, self)
    if gradients.allSatisfy({ $0 != nil }) { requireGradients(last.operation, last.inputs) }
  }

  /// Stops where an operation has given a tracked input no gradient: forgetting one would be a zero gradient in silence.
  private func requireGradients(_ operation: StaticString, _ inputs: [Slot?]) {
    for case let input? in inputs where tracks(input) {
      precondition(entries[Int(input.node)].gradient != nil, "\(operation) gives its input \(input.shape) no gradient")
    }
  }

  /// The operations recorded since the last reverse pass, in order.
  package var operations: [String] { entries.map { "\($0.operation)" } }

  package func tracks(_ slot: Slot) -> Bool { slot.node >= 0 && slot.tapeSerial == serial }

  package func tracks(_ tensor: Tensor) -> Bool { tracks(tensor.slot) }

  /// Stops where an operation reads a tensor of a tape that this one stands in: its gradient would be lost in silence.
  package func requireNoTensorOfAnEnclosingTape(_ input: Slot, of operation: StaticString) {
    precondition(
      input.node < 0 || !enclosing.contains(input.tapeSerial),
      "\(operation) captures a tensor \(input.shape) of the tape around a recomputation: pass it as an input of the recomputation")
  }

  /// The entry of a trainable parameter, appended where it is first used.
  package func leaf(of parameter: Parameter) -> Int32 {
    if let known = leaves[ObjectIdentifier(parameter)] { return known }
    entries.append(Entry(operation: "parameter", parameter: parameter))
    leaves[ObjectIdentifier(parameter)] = Int32(entries.count - 1)
    return Int32(entries.count - 1)
  }

  package func append(_ operation: StaticString, from inputs: [Slot?] = [], pullback: @escaping Pullback) -> Int32 {
    entries.append(Entry(operation: operation, pullback: pullback, inputs: inputs))
    return Int32(entries.count - 1)
  }

  /// Appends the outputs of one operation, at least one, and returns them tracked.
  package func appending(
    _ operation: StaticString, _ outputs: [Tensor], from inputs: [Slot?] = [], pullback: @escaping GroupPullback
  ) -> [Tensor] {
    let first = Int32(entries.count)
    for _ in outputs.dropLast() { entries.append(Entry(operation: operation)) }
    entries.append(Entry(operation: operation, inputs: inputs, group: Group(outputCount: outputs.count, pullback: pullback)))
    return outputs.enumerated().map { index, output in
      var tracked = output
      tracked.node = first + Int32(index)
      tracked.tapeSerial = serial
      return tracked
    }
  }

  /// Adds a contribution to the gradient of an operation's input; nothing where the input is not tracked.
  package func accumulate(_ contribution: Tensor, into input: Tensor) { accumulate(contribution, into: input.slot) }

  package func accumulate(_ contribution: Tensor, into input: Slot) {
    guard tracks(input) else { return }
    precondition(contribution.shape == input.shape, "a gradient \(contribution.shape) for a tensor \(input.shape)")
    if entries[Int(input.node)].gradient == nil {
      entries[Int(input.node)].gradient = contribution
      lookAtGradient(of: input)
    } else {
      accumulate(into: input) { out, _ in
        let source = contribution.pointer
        parallel(over: contribution.elementCount, grain: elementwiseGrain) { part in
          graft_accumulate(out + part.lowerBound, source + part.lowerBound, part.count)
        }
      }
    }
  }

  /// Lets `body` write `out = isFirst ? contribution : out + contribution` straight into the gradient of an input.
  ///
  /// `body` runs only where the input is tracked; the memory is copied first where somebody else holds it.
  package func accumulate(into input: Tensor, _ body: (_ out: UnsafeMutablePointer<Float>, _ isFirst: Bool) -> Void) {
    accumulate(into: input.slot, body)
  }

  /// Lets `body` add to the gradient of an input, which is zero at first; it runs only where the input is tracked.
  package func accumulateZeroed(into input: Tensor, _ body: (_ out: UnsafeMutablePointer<Float>) -> Void) {
    accumulateZeroed(into: input.slot, body)
  }

  package func accumulateZeroed(into input: Slot, _ body: (_ out: UnsafeMutablePointer<Float>) -> Void) {
    accumulate(into: input) { out, isFirst in
      if isFirst { graft_fill(out, 0, input.shape.elementCount) }
      body(out)
    }
  }

  package func accumulate(into input: Slot, _ body: (_ out: UnsafeMutablePointer<Float>, _ isFirst: Bool) -> Void) {
    guard tracks(input) else { return }
    let index = Int(input.node)
    guard var held = entries[index].gradient else {
      let fresh = Tensor(uninitialized: input.shape)
      body(fresh.mutablePointer, true)
      entries[index].gradient = fresh
      return lookAtGradient(of: input)
    }
    entries[index].gradient = nil
    held.makeUnique()
    body(held.mutablePointer, false)
    entries[index].gradient = held
    lookAtGradient(of: input)
  }

  private func lookAtGradient(of input: Slot) {
    guard let search = NonFiniteSearch.current, let gradient = entries[Int(input.node)].gradient else { return }
    search.look(at: gradient, of: entries[Int(input.node)].parameter?.path)
  }
}
