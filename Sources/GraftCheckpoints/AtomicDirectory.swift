import Foundation

/// A directory of files that appears complete or not at all.
///
/// Files are collected in a temporary directory beside the place. `commit()` renames it there; where a directory
/// with other files already exists, each new file instead replaces its namesake, one rename at a time.
public final class AtomicDirectory {
  /// Where the directory will be.
  public let path: String
  /// Where the files are collected; write them here.
  public let temporaryPath: String
  private var isOpen = true

  /// Creates the temporary directory and, where they lack, the parents of `path`.
  ///
  /// - Throws: `CheckpointError` of kind `cannotCreate`.
  public init(at path: String) throws(CheckpointError) {
    let path = path.trimmingTrailingSlashes
    if FileKind(of: path) == .file {
      throw CheckpointError(
        .cannotCreate, path, "a file of that name is in the way", remedy: "choose another directory")
    }
    try createDirectory(path.parentDirectory)
    var template = Array("\(path.parentDirectory)/.\(path.lastComponent).partial-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw .writing(path) }
    self.path = path
    temporaryPath = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let mask = umask(0)
    umask(mask)
    chmod(temporaryPath, 0o777 & ~mask)
  }

  deinit { discard() }

  /// Gives the directory its name. Files written through `AtomicFile` are already on the disk.
  ///
  /// - Throws: `CheckpointError` of kind `cannotCreate` or `inputOutput`.
  public func commit() throws(CheckpointError) {
    guard isOpen else { return }
    synchronizeDirectory(temporaryPath)
    if rename(temporaryPath, path) != 0 {
      guard errno == ENOTEMPTY || errno == EEXIST else { throw .writing(path) }
      for name in try directoryEntries(temporaryPath) {
        guard rename("\(temporaryPath)/\(name)", "\(path)/\(name)") == 0 else { throw .writing("\(path)/\(name)") }
      }
      rmdir(temporaryPath)
      synchronizeDirectory(path)
    }
    isOpen = false
    synchronizeDirectory(path.parentDirectory)
  }

  /// Gives up and removes what was collected; without effect after `commit()`.
  public func discard() {
    guard isOpen else { return }
    isOpen = false
    try? FileManager.default.removeItem(atPath: temporaryPath)
  }
}

/// What a path leads to, symbolic links followed.
enum FileKind {
  case file, directory, nothing

  init(of path: String) {
    var status = stat()
    if stat(path, &status) != 0 {
      self = .nothing
    } else {
      self = status.st_mode & S_IFMT == S_IFDIR ? .directory : .file
    }
  }
}

/// Creates a directory and its missing parents.
package func createDirectory(_ path: String) throws(CheckpointError) {
  if FileKind(of: path) == .directory { return }
  if path.parentDirectory != path { try createDirectory(path.parentDirectory) }
  guard mkdir(path, 0o777) == 0 || errno == EEXIST && FileKind(of: path) == .directory else { throw .writing(path) }
}

/// The names in a directory, sorted.
func directoryEntries(_ path: String) throws(CheckpointError) -> [String] {
  guard let stream = opendir(path) else { throw .reading(path) }
  defer { closedir(stream) }
  var names: [String] = []
  while let entry = readdir(stream) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: $0.pointee)) { String(cString: $0) }
    }
    if name != ".", name != ".." { names.append(name) }
  }
  return names.sorted()
}
