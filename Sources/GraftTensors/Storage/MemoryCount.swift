/// A rehearsal: what runs inside of it takes and gives back memory as it always does, in the same sizes and in the same order, but computes
/// nothing. The memory is counted and not taken, so that a model of any size can be built, trained for a step or asked for an answer in
/// milliseconds.
///
///     let count = MemoryCount()
///     let model = try count.run { try build() }
///     count.run { tape.gradients(of: tape.record { model.loss(batch) }) }
///     print(count.peakBytes)
///
/// Tensors read as zeros. A model that was built here can compute outside, with weights of zeros that take no memory either.
public final class MemoryCount {
  /// The pool that counts.
  let pool = BufferPool(counting: BlankAddresses())

  /// A count of nothing so far.
  public init() {}

  /// The count that this thread computes in, if any.
  static var current: MemoryCount? { ExecutionFrame.current?.count }

  /// Runs `body` on this thread inside of the count, under the conditions and on the tape that there are.
  public func run<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
    try ExecutionFrame(Execution.current, tape: Tape.current, count: self).run(body)
  }

  /// The bytes of tensors now.
  public var bytesInUse: Int { pool.statistics.bytesInUse }

  /// The most bytes since `resetPeak()` that the pool would have taken from the system and tensors would have written.
  public var peakBytes: Int { pool.peakBytesTouched }

  /// Gives the free memory back, as `BufferPool.trim()` does, and starts the peak anew.
  public func resetPeak() {
    pool.trim()
    pool.resetPeak()
  }
}
