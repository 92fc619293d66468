import Foundation

/// A regular file that is read in pieces, from any thread: what has been read stays the system's to forget, which mapped pages do not in the
/// measure of a process's memory.
package final class RandomAccessFile: Sendable {
  /// The path of the file.
  package let path: String
  /// The bytes that the file had when it was opened.
  package let size: Int
  private let descriptor: Int32

  /// - Throws: `FileError` where there is no such file, or it may not be read.
  package init(_ path: String) throws(FileError) {
    self.path = path
    descriptor = try InputFile.open(path)
    size = InputFile.size(of: descriptor)
  }

  deinit { close(descriptor) }

  /// Returns the bytes from `offset` on: `count`, or as many as there are.
  ///
  /// - Throws: `FileError` where reading fails, or the file has become shorter.
  package func bytes(at offset: Int, count: Int) throws(FileError) -> [UInt8] {
    let wanted = max(0, min(count, size - offset))
    var failure: Int32?
    let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, filled in
      while filled < wanted, failure == nil {
        let taken = pread(descriptor, buffer.baseAddress.unsafelyUnwrapped + filled, min(wanted - filled, 1 << 30), off_t(offset + filled))
        if taken < 0, errno == EINTR { continue }
        if taken > 0 { filled += taken } else { failure = taken < 0 ? errno : EIO }
      }
    }
    if let failure { throw .input(path, failure) }
    return bytes
  }

  /// Hands on the whole file in pieces of a megabyte, in order.
  ///
  /// - Throws: `FileError` where reading fails, and what `body` throws.
  package func forEachPiece(_ body: (_ offset: Int, _ bytes: [UInt8]) throws -> Void) throws {
    #if os(Linux)
    posix_fadvise(descriptor, 0, 0, Int32(POSIX_FADV_SEQUENTIAL))
    #endif
    for offset in stride(from: 0, to: size, by: 1 << 20) { try body(offset, bytes(at: offset, count: 1 << 20)) }
  }

  /// The SHA-256 of the file's bytes.
  ///
  /// - Throws: `FileError` where reading fails.
  package func sha256() throws -> String {
    var hasher = SHA256()
    for offset in stride(from: 0, to: size, by: 1 << 20) { try bytes(at: offset, count: 1 << 20).withUnsafeBytes { hasher.update($0) } }
    return hasher.finalize()
  }
}
