import CKernels

/// A recurrence along the rows of sequences whose state is a square matrix for every head: what RWKV-5, 6 and 7 share.
///
/// States are kept at the first row of every chunk only, and computed again from there on the way back. The input at index 1 is the
/// logarithm of the rates at which states decay.
struct HeadRecurrence {
  /// Runs one head: `inputs` point to its first row, `state` is changed in place, and `states` takes the state before every chunk.
  typealias Forward =
    @Sendable (
      _ recurrence: HeadRecurrence, _ out: UnsafeMutablePointer<Float>, _ state: UnsafeMutablePointer<Float>, _ states: UnsafeMutablePointer<Float>?,
      _ inputs: [UnsafePointer<Float>], _ count: Int
    ) -> Void
  /// The gradients of one head's inputs, and of the state before its first row.
  typealias Backward =
    @Sendable (
      _ recurrence: HeadRecurrence, _ gradients: [UnsafeMutablePointer<Float>], _ state: UnsafeMutablePointer<Float>,
      _ scratch: UnsafeMutablePointer<Float>, _ gradient: UnsafePointer<Float>, _ states: UnsafePointer<Float>, _ inputs: [UnsafePointer<Float>],
      _ count: Int
    ) -> Void

  let name: StaticString
  let rows: SequenceRows
  let headSize: Int, width: Int
  /// The numbers that one head's way back writes down for a chunk.
  let scratchSize: Int
  let forward: Forward
  let backward: Backward

  var heads: Int { width / headSize }
  var headStateSize: Int { headSize * headSize }
  var stateSize: Int { heads * headStateSize }

  /// - Parameters:
  ///   - inputs: `[rows, heads * headSize]` each.
  ///   - state: `[sequences, heads * headSize * headSize]` before the first row of each sequence; zero where nil.
  /// - Returns: `[rows, heads * headSize]`, and the state behind the last row where one was given, which no gradient leaves.
  func callAsFunction(_ inputs: [Tensor], from state: Tensor?) -> (output: Tensor, state: Tensor?) {
    precondition(inputs.allSatisfy { $0.shape == [rows.count, width] }, "\(inputs.map(\.shape)) for \(rows.count) rows")
    precondition(width % headSize == 0 && headSize <= Int(GRAFT_LARGEST_DELTA_HEAD), "heads of \(headSize) channels")
    let all = inputs + (state.map { [$0] } ?? [])
    let next = state.map { concatenateRows([$0.detached]) } ?? .zeros([rows.spans.count, stateSize])
    let states = all.contains(where: \.isTracked) ? Tensor(uninitialized: [rows.chunks().count, stateSize]) : nil
    let out = outputs(inputs, state: next, states: states)
    guard let states else { return (out, state == nil ? nil : next) }
    // The states belong to these very decays, which are exponents.
    let saved = all.enumerated().map { Saved($1, exactly: $0 == 1) }
    let savedStates = Saved(states, exactly: true)
    let result = recorded(name, out, from: all.map(\.slot)) { gradient, tape in
      let gradients = gradients(gradient, saved.prefix(inputs.count).map(\.tensor), savedStates.tensor)
      for (gradient, input) in zip(gradients, saved) { tape.accumulate(gradient.reshaped(to: input.slot.shape), into: input.slot) }
    }
    return (result, state == nil ? nil : next)
  }

  /// Runs `body` for every head of every sequence that has rows, with where its rows and its state begin.
  private func forEachHead(_ body: (_ at: Int, _ stateAt: Int, _ chunkAt: Int, _ count: Int) -> Void) {
    let chunks = rows.chunks().first
    parallel(rows.spans.count * heads) { task in
      let (sequence, head) = (task / heads, task % heads)
      let span = rows.spans[sequence]
      guard !span.isEmpty else { return }
      body(
        span.lowerBound * width + head * headSize, sequence * stateSize + head * headStateSize,
        chunks[sequence] * stateSize + head * headStateSize, span.count)
    }
  }

  /// - Parameter state: changed in place.
  private func outputs(_ inputs: [Tensor], state: Tensor, states: Tensor?) -> Tensor {
    let out = rows.makeRows(width)
    let x = inputs.map(\.pointer)
    let (o, s, kept) = (out.mutablePointer, state.mutablePointer, states?.mutablePointer)
    forEachHead { at, stateAt, chunkAt, count in
      forward(self, o + at, s + stateAt, kept.map { $0 + chunkAt }, x.map { $0 + at }, count)
    }
    return out
  }

  /// - Returns: the gradients of the inputs, and of the states before the first rows.
  private func gradients(_ gradient: Tensor, _ inputs: [Tensor], _ states: Tensor) -> [Tensor] {
    let results = inputs.map { _ in rows.makeRows(width) }
    let dState = Tensor.zeros([rows.spans.count, stateSize])
    let (d, x) = (results.map(\.mutablePointer), inputs.map(\.pointer))
    let (start, dy, kept) = (dState.mutablePointer, gradient.pointer, states.pointer)
    forEachHead { at, stateAt, chunkAt, count in
      let scratch = Tensor(uninitialized: [scratchSize])
      backward(self, d.map { $0 + at }, start + stateAt, scratch.mutablePointer, dy + at, kept + chunkAt, x.map { $0 + at }, count)
    }
    return results + [dState]
  }
}
