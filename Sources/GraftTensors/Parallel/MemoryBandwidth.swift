import CKernels

/// The speed at which memory hands out what is in no cache: the limit of decoding, which reads all weights for every token.
public enum MemoryBandwidth {
  /// Floats that few processors' caches hold: 256 MiB.
  private static let count = 1 << 26
  /// Floats of a task: 1 MiB.
  private static let grain = 1 << 18
  private static let rounds = 6

  /// Returns the bytes that all threads together read in a second, the best of several rounds; it takes about a tenth of a second.
  public static func measured() -> Double {
    let memory = Tensor.zeros([count])
    let from = memory.pointer
    let partial = Tensor(uninitialized: [count / grain])
    let largest = partial.mutablePointer
    let best = (0..<rounds).map { _ in
      let start = ContinuousClock.now
      // Of all that is read, the largest is the least work.
      parallel(count / grain) { task in largest[task] = graft_largest(from + task * grain, grain) }
      return (ContinuousClock.now - start) / .seconds(1)
    }.min()
    precondition(partial.values.allSatisfy { $0 == 0 })
    return Double(ElementFormat.float32.bytes(for: count)) / (best ?? .infinity)
  }
}
