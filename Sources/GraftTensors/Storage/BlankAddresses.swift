import Foundation
import Synchronization

/// Addresses for tensors that are counted and never computed.
///
/// What the calling thread itself may write or read has memory of its own: small tensors, and indices, which must be valid. All other tensors of a
/// format share addresses that read as zeros and take no memory.
final class BlankAddresses: Sendable {
  private struct Region {
    let base: UInt
    let byteCount: Int
  }

  private struct State {
    var regions: [ElementFormat: Region] = [:]
    /// The regions that became too small, whose tensors may still be there.
    var outgrown: [Region] = []
    var own: Set<UInt> = []
  }

  private let state = Mutex(State())
  /// The most bytes that are worth memory of their own.
  private static let smallSize = 1 << 16

  deinit {
    state.withLock { state in
      for region in state.outgrown + state.regions.values { munmap(UnsafeMutableRawPointer(bitPattern: region.base), region.byteCount) }
      for address in state.own { free(UnsafeMutableRawPointer(bitPattern: address)) }
    }
  }

  /// Returns addresses of so many bytes; nil where the system has none.
  func lend(_ byteCount: Int, _ format: ElementFormat) -> UnsafeMutableRawPointer? {
    let address: UInt? =
      if byteCount <= Self.smallSize || format == .int32 {
        ownMemory(byteCount)
      } else {
        state.withLock { state in
          if let known = state.regions[format] {
            if known.byteCount >= byteCount { return known.base }
            state.outgrown.append(known)
          }
          let region = Self.region(max(byteCount, 2 * (state.regions[format]?.byteCount ?? 0))) ?? Self.region(byteCount)
          state.regions[format] = region
          return region?.base
        }
      }
    return address.flatMap { UnsafeMutableRawPointer(bitPattern: $0) }
  }

  /// Takes addresses back, of memory of its own or of any region.
  func takeBack(_ base: UnsafeMutableRawPointer) {
    if state.withLock({ $0.own.remove(UInt(bitPattern: base)) }) != nil { free(base) }
  }

  private func ownMemory(_ byteCount: Int) -> UInt? {
    var pointer: UnsafeMutableRawPointer?
    guard posix_memalign(&pointer, 64, byteCount) == 0, let pointer else { return nil }
    memset(pointer, 0, byteCount)
    state.withLock { _ = $0.own.insert(UInt(bitPattern: pointer)) }
    return UInt(bitPattern: pointer)
  }

  private static func region(_ byteCount: Int) -> Region? {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    guard let base = mmap(nil, byteCount, PROT_READ | PROT_WRITE, flags, -1, 0), base != MAP_FAILED else { return nil }
    return Region(base: UInt(bitPattern: base), byteCount: byteCount)
  }
}

/// The bytes of a pool's buffers that are in memory: those of each class up to the largest tensor that was ever in one of them, since the system
/// gives memory out page by page, as it is written.
struct TouchedBytes {
  /// The bytes now.
  private(set) var total = 0
  /// The most bytes at any moment.
  var peak = 0
  private var classes: [Int: (count: Int, bytes: Int)] = [:]

  /// Counts a tensor of `byteCount` bytes in a buffer of a class, which the pool may have had already.
  mutating func add(_ capacity: Int, writing byteCount: Int, isNew: Bool) {
    var (count, bytes) = classes[capacity, default: (0, 0)]
    total -= count * bytes
    if isNew { count += 1 }
    bytes = max(bytes, Self.pages(of: byteCount, in: capacity))
    total += count * bytes
    classes[capacity] = (count, bytes)
    peak = max(peak, total)
  }

  /// Leaves out buffers that were given back to the system.
  mutating func remove(_ capacity: Int, count: Int) {
    guard let (known, bytes) = classes[capacity] else { return }
    total -= count * bytes
    classes[capacity] = (known - count, bytes)
  }

  private static let page = Int(sysconf(Int32(_SC_PAGESIZE)))

  private static func pages(of byteCount: Int, in capacity: Int) -> Int {
    let unit = capacity >= BufferPool.hugePage ? BufferPool.hugePage : capacity >= 1 << 17 ? page : capacity
    return min(capacity, (byteCount + unit - 1) / unit * unit)
  }
}
