import Foundation

/// A file that appears under its name all at once: written beside its place, flushed to the disk, then renamed
/// over it. Until `commit()` the old file, if any, is untouched; without it nothing remains.
public final class AtomicFile {
  /// Where the file will be.
  public let path: String
  /// Where its bytes are collected.
  public let temporaryPath: String
  private var descriptor: Int32

  /// Creates the temporary file beside `path`.
  ///
  /// - Throws: `CheckpointError` of kind `cannotCreate` (or `inputOutput` when the disk is full).
  public init(at path: String) throws(CheckpointError) {
    let directory = path.parentDirectory
    var template = Array("\(directory)/.\(path.lastComponent).partial-XXXXXX".utf8CString)
    descriptor = mkstemp(&template)
    guard descriptor >= 0 else { throw .writing(path) }
    self.path = path
    temporaryPath = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let mask = umask(0)
    umask(mask)
    fchmod(descriptor, 0o666 & ~mask)
  }

  deinit { discard() }

  /// Appends bytes.
  ///
  /// - Throws: `CheckpointError` of kind `inputOutput`.
  public func write(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
    var remaining = bytes
    while !remaining.isEmpty {
      let written = Foundation.write(descriptor, remaining.baseAddress, min(remaining.count, 1 << 30))
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else { throw failure(written == 0 ? ENOSPC : errno) }
      remaining = UnsafeRawBufferPointer(rebasing: remaining[written...])
    }
  }

  /// Appends bytes.
  ///
  /// - Throws: `CheckpointError` of kind `inputOutput`.
  public func write(_ bytes: some Collection<UInt8>) throws(CheckpointError) {
    try ContiguousArray(bytes).withUnsafeBufferPointer { (bytes) throws(CheckpointError) in
      try write(UnsafeRawBufferPointer(bytes))
    }
  }

  /// Flushes the file to the disk and gives it its name.
  ///
  /// - Throws: `CheckpointError` of kind `inputOutput` or `cannotCreate`; the old file is then still there.
  public func commit() throws(CheckpointError) {
    guard descriptor >= 0 else { return }
    guard fsync(descriptor) == 0 else { throw failure(errno) }
    guard close(descriptor) == 0 else {
      descriptor = -1
      unlink(temporaryPath)
      throw failure(errno)
    }
    descriptor = -1
    guard rename(temporaryPath, path) == 0 else {
      let code = errno
      unlink(temporaryPath)
      throw .writing(path, code)
    }
    synchronizeDirectory(path.parentDirectory)
  }

  /// Gives up and removes the temporary file; without effect after `commit()`.
  public func discard() {
    guard descriptor >= 0 else { return }
    close(descriptor)
    descriptor = -1
    unlink(temporaryPath)
  }

  /// Replaces the file at `path` by one of these bytes.
  ///
  /// - Throws: `CheckpointError` of kind `inputOutput` or `cannotCreate`; the old file is then still there.
  public static func write(_ bytes: some Collection<UInt8>, to path: String) throws(CheckpointError) {
    let file = try AtomicFile(at: path)
    try file.write(bytes)
    try file.commit()
  }

  /// Writing to an open file failed: whatever the code, the disk is to blame and not the name.
  private func failure(_ code: Int32) -> CheckpointError {
    let error = CheckpointError.writing(path, code)
    return CheckpointError(.inputOutput, error.location, error.problem, remedy: error.remedy)
  }
}

/// Makes a rename in the directory survive a power failure; file systems that cannot are left alone.
func synchronizeDirectory(_ path: String) {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return }
  fsync(descriptor)
  close(descriptor)
}

extension String {
  /// The path without its last component, "." for a bare name.
  var parentDirectory: String {
    let trimmed = trimmingTrailingSlashes
    guard let slash = trimmed.lastIndex(of: "/") else { return "." }
    return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
  }

  /// The last component of the path.
  var lastComponent: String {
    let trimmed = trimmingTrailingSlashes
    return trimmed.lastIndex(of: "/").map { String(trimmed[trimmed.index(after: $0)...]) } ?? trimmed
  }

  package var trimmingTrailingSlashes: String {
    var path = self
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    return path
  }
}
