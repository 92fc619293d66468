/// Bytes that tensors share: lent by the buffer pool, or borrowed from an owner such as a memory-mapped file.
package final class Storage {
  package let base: UnsafeMutableRawPointer
  package let byteCount: Int
  private let capacity: Int
  private let owner: AnyObject?
  /// The pool that lent the bytes, and takes them back.
  private let pool: BufferPool

  /// True for memory that outlives every tape: that of parameters and mapped files.
  package var isLasting: Bool
  /// The copy that pullbacks keep of these bytes, if any; forgotten where they are written over.
  package weak var narrowedCopy: NarrowedCopy?

  /// A Boolean value that is true where the bytes may be written, which those of a mapped file may not.
  package var isWritable: Bool { owner == nil }

  /// Uninitialised bytes from the pool, for elements of a format.
  package init(byteCount: Int, of format: ElementFormat = .float32) {
    pool = MemoryCount.current?.pool ?? .shared
    (base, capacity) = pool.allocate(byteCount, of: format)
    self.byteCount = byteCount
    owner = nil
    isLasting = false
  }

  /// Bytes that `owner` keeps alive and nobody writes.
  package init(borrowing base: UnsafeRawPointer, byteCount: Int, owner: AnyObject) {
    self.base = UnsafeMutableRawPointer(mutating: base)
    self.byteCount = byteCount
    capacity = 0
    pool = .shared
    self.owner = owner
    isLasting = true
  }

  /// Gives back the pages of a mapped file that lie within these bytes of the storage.
  func releaseMappedPages(_ bytes: UnsafeRawBufferPointer) { (owner as? any MappedMemory)?.release(bytes) }

  deinit {
    if owner == nil { pool.recycle(base, capacity: capacity) }
  }
}
