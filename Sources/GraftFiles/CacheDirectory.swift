import Foundation

/// The folder of files that can be made again: expanded data, and tokens.
///
/// `$GRAFT_CACHE`, or `graft` in `$XDG_CACHE_HOME`, or `~/.cache/graft`. Whatever is in it may be removed at any time.
package enum CacheDirectory {
  /// The path of the folder, which need not be there.
  package static var path: String {
    let environment = ProcessInfo.processInfo.environment
    if let own = environment["GRAFT_CACHE"], !own.isEmpty { return own }
    if let general = environment["XDG_CACHE_HOME"], general.hasPrefix("/") { return general + "/graft" }
    return FileManager.default.homeDirectoryForCurrentUser.path + "/.cache/graft"
  }

  /// Returns the path of a file in the folder, made by `write` where it is not there yet: beside its place, and renamed.
  ///
  /// - Throws: `FileError` where the folder or the file cannot be made, and what `write` throws.
  package static func file(_ name: String, write: (_ writer: inout CacheWriter) throws -> Void) throws -> String {
    let path = "\(path)/\(name)"
    if access(path, R_OK) == 0 { return path }
    try replace(name, write: write)
    return path
  }

  /// Makes a file of the folder anew.
  ///
  /// - Throws: as `file(_:write:)` does.
  package static func replace(_ name: String, write: (_ writer: inout CacheWriter) throws -> Void) throws {
    let folder = Self.path
    do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
      throw FileError(.cannotCreate, folder, "cannot be made", remedy: "set GRAFT_CACHE to a folder for files that can be made again")
    }
    let temporary = "\(folder)/.\(name).\(getpid())"
    do {
      var writer = try CacheWriter(temporary)
      try write(&writer)
      try writer.finish()
      guard rename(temporary, "\(folder)/\(name)") == 0 else { throw FileError.writing("\(folder)/\(name)") }
    } catch {
      unlink(temporary)
      throw error
    }
  }
}

/// Writes a file from its beginning to its end.
package struct CacheWriter: ~Copyable {
  private let path: String
  private let descriptor: Int32
  private var waiting: [UInt8] = []
  /// The bytes put so far.
  package private(set) var count = 0

  fileprivate init(_ path: String) throws(FileError) {
    self.path = path
    descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .writing(path) }
    waiting.reserveCapacity(1 << 20)
  }

  deinit { close(descriptor) }

  /// Appends bytes.
  package mutating func put(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    waiting += bytes
    count += bytes.count
    if waiting.count >= 1 << 20 { try flush() }
  }

  private mutating func flush() throws(FileError) {
    var rest = waiting[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if written < 0, errno == EINTR { continue }
      guard written > 0 else { throw .writing(path, written < 0 ? errno : ENOSPC) }
      rest = rest.dropFirst(written)
    }
    waiting.removeAll(keepingCapacity: true)
  }

  fileprivate mutating func finish() throws(FileError) { try flush() }
}
