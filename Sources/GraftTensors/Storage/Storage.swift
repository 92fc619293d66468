/// Bytes that tensors share: lent by the buffer pool, or borrowed from an owner such as a memory-mapped file.
package final class Storage {
  package let base: UnsafeMutableRawPointer
  package let byteCount: Int
  private let capacity: Int
  private let owner: AnyObject?

  /// Whether the bytes may be written, which those of a mapped file may not.
  package var isWritable: Bool { owner == nil }

  /// Uninitialised bytes from the pool.
  package init(byteCount: Int) {
    (base, capacity) = BufferPool.shared.allocate(byteCount)
    self.byteCount = byteCount
    owner = nil
  }

  /// Bytes that `owner` keeps alive and nobody writes.
  package init(borrowing base: UnsafeRawPointer, byteCount: Int, owner: AnyObject) {
    self.base = UnsafeMutableRawPointer(mutating: base)
    self.byteCount = byteCount
    capacity = 0
    self.owner = owner
  }

  deinit {
    if owner == nil { BufferPool.shared.recycle(base, capacity: capacity) }
  }
}
