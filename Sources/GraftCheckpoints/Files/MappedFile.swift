import Foundation
import GraftFiles
import GraftTensors

/// A file's bytes, mapped read-only for as long as the object lives.
///
/// Pages are read when they are first used. A page that is then no longer there, since the file has become shorter or the
/// disk cannot be read, ends the process with one error line: see `MappingFaults`.
final class MappedFile: @unchecked Sendable {
  let path: String
  /// For those that keep the object as long as they read.
  let bytes: UnsafeRawBufferPointer
  private let registration: Int?

  /// - Throws: `CheckpointError` of kind `missing`, `inputOutput` or `outOfMemory`.
  init(_ path: String) throws(CheckpointError) {
    self.path = path
    let descriptor: Int32
    do { descriptor = try InputFile.open(path) } catch { throw CheckpointError(error) }
    defer { close(descriptor) }
    let size = try Self.size(descriptor, path)
    guard size > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      registration = nil
      return
    }
    guard let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else {
      throw .reading(path)
    }
    bytes = UnsafeRawBufferPointer(start: address, count: size)
    registration = MappingFaults.register(bytes, of: path)
  }

  /// Lets `body` read the bytes, which stay mapped until it returns.
  func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    try withExtendedLifetime(self) { () throws(E) -> R in try body(bytes) }
  }

  deinit {
    MappingFaults.unregister(registration)
    if let address = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: address), bytes.count) }
  }

  private static func size(_ descriptor: Int32, _ path: String) throws(CheckpointError) -> Int {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .reading(path) }
    return Int(status.st_size)
  }
}

extension MappedFile: MappedMemory {
  func release(_ part: UnsafeRawBufferPointer) {
    guard let base = bytes.baseAddress, let start = part.baseAddress, start >= base, start + part.count <= base + bytes.count else { return }
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let first = (start - base + page - 1) / page * page
    let end = (start - base + part.count) / page * page
    if first < end { madvise(UnsafeMutableRawPointer(mutating: base + first), end - first, Int32(MADV_DONTNEED)) }
  }
}

/// Bytes of our own, aligned as kernels like them, that a tensor can borrow.
final class AlignedBytes {
  let bytes: UnsafeMutableRawBufferPointer

  /// - Parameter location: their use, for the message.
  /// - Throws: `CheckpointError` of kind `outOfMemory`.
  init(count: Int, for location: String) throws(CheckpointError) {
    var pointer: UnsafeMutableRawPointer?
    guard posix_memalign(&pointer, 64, max(count, 1)) == 0, let pointer else {
      throw CheckpointError(
        .outOfMemory, location, "its \(count) bytes do not fit into memory", remedy: "free some, or raise the limit that `ulimit -v` shows")
    }
    bytes = UnsafeMutableRawBufferPointer(start: pointer, count: max(count, 1))
  }

  deinit { free(bytes.baseAddress) }
}
