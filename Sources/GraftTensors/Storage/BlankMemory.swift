import Foundation

/// Memory that reads as zeros and takes none: for tensors of which nothing but the shape is asked.
public final class BlankMemory {
  private let base: UnsafeMutableRawPointer
  private let byteCount: Int

  /// - Throws: `MemoryError` where not even so many addresses can be had.
  public init(byteCount: Int) throws(MemoryError) {
    let size = max(byteCount, 1)
    guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), base != MAP_FAILED else {
      throw MemoryError("\(size / 1_000_000) MB of addresses cannot be had; raise the limit on them (ulimit -v), or choose smaller sizes")
    }
    (self.base, self.byteCount) = (base, size)
  }

  deinit { munmap(base, byteCount) }

  /// A float32 tensor of zeros; nil where it is larger than the memory.
  public func tensor(_ shape: Shape) -> Tensor? {
    guard let count = shape.checkedElementCount, count <= byteCount / 4 else { return nil }
    return Tensor(borrowing: base, owner: self, shape: shape, dtype: .float32)
  }
}
