import CKernels
import Foundation
import Synchronization

/// Memory that tensors borrow and give back, so that a training step in its steady state asks the system for nothing
/// and touches no fresh page.
///
/// Sizes are rounded up to classes a quarter of a power of two apart, which bounds the waste by a quarter.
public final class BufferPool: Sendable {
  /// The pool of the process.
  public static let shared = BufferPool()

  /// The pool's counters since the process began.
  public struct Statistics: Sendable, Equatable {
    /// Requests of memory to the system.
    public var systemAllocations = 0
    /// Bytes in tensors now.
    public var bytesInUse = 0
    /// The most bytes in tensors at any moment since the last `resetPeak()`.
    public var peakBytesInUse = 0
    /// Bytes kept for the next tensors.
    public var bytesFree = 0
  }

  private struct State {
    var free: [Int: [UInt]] = [:]
    var statistics = Statistics()
    var touched = TouchedBytes()
  }

  private let state = Mutex(State())
  /// The addresses of tensors that are only counted; nil where they have memory.
  private let blank: BlankAddresses?

  private init() { blank = nil }

  /// A pool that counts what it lends as any other does, and takes no memory for it.
  init(counting blank: BlankAddresses) { self.blank = blank }

  /// The counts of what is held and in use.
  public var statistics: Statistics { state.withLock { $0.statistics } }

  /// The most bytes that a counting pool has held since `resetPeak()`, in tensors or free, of which tensors have been written.
  var peakBytesTouched: Int { state.withLock { $0.touched.peak } }

  /// Starts the peaks anew, from what there is now.
  public func resetPeak() {
    state.withLock {
      $0.statistics.peakBytesInUse = $0.statistics.bytesInUse
      $0.touched.peak = $0.touched.total
    }
  }

  /// Gives the free memory back to the system.
  public func trim() {
    let addresses = state.withLock { state in
      defer {
        state.free = [:]
        state.statistics.bytesFree = 0
      }
      if blank != nil { for (capacity, addresses) in state.free { state.touched.remove(capacity, count: addresses.count) } }
      return state.free.values.flatMap { $0 }
    }
    guard blank == nil else { return }
    for address in addresses { free(UnsafeMutableRawPointer(bitPattern: address)) }
    // The C library keeps what is large, but not the largest, in its heap otherwise.
    graft_release_freed_memory()
  }

  /// Lends memory; where the system has none left, `whenExhausted` ends the process.
  package func allocate(_ byteCount: Int, of format: ElementFormat = .float32) -> (base: UnsafeMutableRawPointer, capacity: Int) {
    guard byteCount <= Self.largestSize else { Self.end(asked: byteCount) }
    let capacity = Self.sizeClass(of: byteCount)
    let reused = state.withLock { state -> UInt? in
      state.statistics.bytesInUse += capacity
      state.statistics.peakBytesInUse = max(state.statistics.peakBytesInUse, state.statistics.bytesInUse)
      let address = state.free[capacity]?.popLast()
      if blank != nil { state.touched.add(capacity, writing: byteCount, isNew: address == nil) }
      if let address {
        state.statistics.bytesFree -= capacity
        return address
      }
      state.statistics.systemAllocations += 1
      return nil
    }
    if let blank {
      guard let base = blank.lend(capacity, format) else { Self.end(asked: capacity) }
      return (base, capacity)
    }
    if let reused, let base = UnsafeMutableRawPointer(bitPattern: reused) { return (base, capacity) }
    let pointer = take(capacity)
    #if os(Linux)
    if capacity >= Self.hugePage { madvise(pointer, capacity, Int32(MADV_HUGEPAGE)) }
    #endif
    return (pointer, capacity)
  }

  /// The end of the process where the system has no more memory: tensors cannot be made without it.
  public static let whenExhausted = Mutex<@Sendable (_ byteCount: Int) -> Never>({ preconditionFailure("out of memory: \($0) bytes") })

  /// Memory from the system, for which free memory of other sizes is given back where there is no more.
  private func take(_ capacity: Int) -> UnsafeMutableRawPointer {
    for isLastTry in [false, true] {
      var pointer: UnsafeMutableRawPointer?
      if posix_memalign(&pointer, capacity >= Self.hugePage ? Self.hugePage : 64, capacity) == 0, let pointer { return pointer }
      if !isLastTry { trim() }
    }
    state.withLock { $0.statistics.bytesInUse -= capacity }
    Self.end(asked: capacity)
  }

  private static func end(asked byteCount: Int) -> Never {
    let end = whenExhausted.withLock { $0 }
    end(byteCount)
  }

  package func recycle(_ base: UnsafeMutableRawPointer, capacity: Int) {
    blank?.takeBack(base)
    state.withLock { state in
      state.free[capacity, default: []].append(UInt(bitPattern: base))
      state.statistics.bytesInUse -= capacity
      state.statistics.bytesFree += capacity
    }
  }

  static let hugePage = 2 << 20
  /// More than any address space holds, and few enough that sizes can be rounded up.
  private static let largestSize = 1 << 60

  /// The smallest class that holds `byteCount`: 64 bytes, then four classes to each doubling.
  static func sizeClass(of byteCount: Int) -> Int {
    guard byteCount > 256 else { return (max(byteCount, 1) + 63) & ~63 }
    let step = 1 << (Int.bitWidth - 1 - (byteCount - 1).leadingZeroBitCount - 2)
    return (byteCount + step - 1) & ~(step - 1)
  }
}
