import Foundation

/// A file that appears under its name all at once: written beside its place, flushed to the disk, then renamed
/// over it. Until `commit()` the old file, if any, is untouched; without it nothing remains.
public final class AtomicFile {
  /// The path of the file in the end.
  public let path: String
  /// The path at which its bytes are collected.
  public let temporaryPath: String
  private var descriptor: Int32

  /// Creates the temporary file beside `path`, or beside what it links to.
  ///
  /// - Throws: `CheckpointError` of kind `cannotCreate` (or `inputOutput` when the disk is full), also where `path` is a device, a
  ///   pipe or a directory, which no file replaces.
  public init(at path: String) throws(CheckpointError) {
    let path = resolvingLinks(path)
    try Self.requireReplaceable(path, isOwn: true)
    let partial = try PartialOutput.file(for: path)
    (self.path, temporaryPath, descriptor) = (path, partial.path, partial.descriptor)
  }

  deinit { discard() }

  /// Checks early, before the work whose result goes there.
  ///
  /// - Parameter isOwn: true where a file that is there is ours to replace.
  /// - Throws: `CheckpointError` of kind `cannotCreate` where it is not, or where something else than a file is there.
  public static func requireReplaceable(_ path: String, isOwn: @autoclosure () -> Bool) throws(CheckpointError) {
    switch FileKind(of: path) {
    case .nothing: break
    case .file:
      guard isOwn() else {
        throw CheckpointError(.cannotCreate, path, "is a file that graft did not write", remedy: "choose another name, or move it away")
      }
    case .directory: throw CheckpointError(.cannotCreate, path, "is a directory", remedy: "name a file")
    case .special: throw CheckpointError(.cannotCreate, path, "is a device or a pipe, which no file replaces", remedy: "name a file")
    }
  }

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
