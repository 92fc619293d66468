import Foundation
import GraftFiles

/// A file's bytes, mapped read-only for as long as the object lives.
final class MappedFile: @unchecked Sendable {
  let path: String
  let bytes: UnsafeRawBufferPointer

  /// - Throws: `CheckpointError` of kind `missing` or `inputOutput`.
  init(_ path: String) throws(CheckpointError) {
    self.path = path
    let descriptor: Int32
    do { descriptor = try InputFile.open(path) } catch { throw CheckpointError(error) }
    defer { close(descriptor) }
    let size = try Self.size(descriptor, path)
    guard size > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else {
      throw .reading(path)
    }
    bytes = UnsafeRawBufferPointer(start: address, count: size)
    guard try Self.size(descriptor, path) >= size else {
      throw CheckpointError(
        .inputOutput, path, "shrank while it was being opened", remedy: "wait for its writer to finish")
    }
  }

  deinit {
    if let address = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: address), bytes.count) }
  }

  private static func size(_ descriptor: Int32, _ path: String) throws(CheckpointError) -> Int {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .reading(path) }
    return Int(status.st_size)
  }
}

/// Bytes of our own, aligned as kernels like them, that a tensor can borrow.
final class AlignedBytes {
  let bytes: UnsafeMutableRawBufferPointer

  init(count: Int) {
    bytes = .allocate(byteCount: max(count, 1), alignment: 64)
  }

  deinit { bytes.deallocate() }
}
