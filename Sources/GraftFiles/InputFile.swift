import Foundation

/// Opens the files that people name: regular ones only, so that nothing waits for a pipe's writer or a device.
public enum InputFile {
  /// The descriptor of a regular file, open for reading.
  ///
  /// - Throws: `FileError` where there is none, or it may not be read.
  public static func open(_ path: String) throws(FileError) -> Int32 {
    // A pipe without a writer would block at this very call, were it not for O_NONBLOCK, which a regular file ignores.
    let descriptor = Foundation.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .input(path, errno) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, let error = FileError(path, mode: status.st_mode) else { return descriptor }
    close(descriptor)
    throw error
  }

  /// All bytes of a regular file.
  ///
  /// - Throws: `FileError`, also where a reading fails or the file becomes shorter meanwhile.
  public static func bytes(of path: String) throws(FileError) -> [UInt8] {
    let descriptor = try open(path)
    defer { close(descriptor) }
    let size = Self.size(of: descriptor)
    var failure: Int32?
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      while count < size, failure == nil {
        let taken = read(descriptor, buffer.baseAddress.unsafelyUnwrapped + count, min(size - count, 1 << 30))
        if taken < 0, errno == EINTR { continue }
        if taken > 0 { count += taken } else { failure = taken < 0 ? errno : EIO }
      }
    }
    if let failure { throw .input(path, failure) }
    return bytes
  }

  /// All bytes of a regular file; `nil` where there is none of that name.
  ///
  /// - Throws: `FileError` for what is there and cannot be read.
  public static func bytesIfPresent(of path: String) throws(FileError) -> [UInt8]? {
    do { return try bytes(of: path) } catch {
      guard error.readingCode == ENOENT else { throw error }
      return nil
    }
  }

  /// The bytes that a regular file has.
  ///
  /// - Throws: `FileError` where there is none, or it may not be read.
  public static func size(of path: String) throws(FileError) -> Int {
    let descriptor = try open(path)
    defer { close(descriptor) }
    return size(of: descriptor)
  }

  static func size(of descriptor: Int32) -> Int {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
  }
}

extension FileError {
  /// The file of that name, which the system refuses to open or to go on reading.
  package static func input(_ path: String, _ code: Int32) -> FileError {
    if code == ENOENT || code == ENOTDIR { return input(.missing, path, "there is no such file", "check the path", ENOENT) }
    let problem = "cannot be read: \(String(cString: strerror(code)).lowercased())"
    guard FileError.reading(path, code).kind == .inputOutput else { return input(.missing, path, problem, "check its permissions", code) }
    return input(.inputOutput, path, problem, "check the disk, or restore the file from a copy", code)
  }

  private static func input(_ kind: Kind, _ path: String, _ problem: String, _ remedy: String, _ code: Int32) -> FileError {
    FileError(kind, path, problem, remedy: remedy, readingCode: code)
  }

  /// The path, which names something else than a regular file; nil for a regular file.
  fileprivate init?(_ path: String, mode: mode_t) {
    let kind: String
    switch mode & S_IFMT {
    case S_IFREG: return nil
    case S_IFDIR:
      self.init(.missing, path, "is a folder, not a file", remedy: "name a file")
      return
    case S_IFIFO: kind = "a pipe"
    case S_IFSOCK: kind = "a socket"
    case S_IFCHR, S_IFBLK: kind = "a device"
    default: kind = "no regular file"
    }
    self.init(.missing, path, "is \(kind), not a file", remedy: "write its content to a file first")
  }

  /// A byte that no UTF-8 text has there.
  static func notUTF8(_ path: String, byte: UInt8, line: Int) -> FileError {
    FileError(
      .malformed, path, line: line, "the byte 0x\(String(byte, radix: 16, uppercase: true)) is not UTF-8", remedy: "save the file as UTF-8")
  }
}
