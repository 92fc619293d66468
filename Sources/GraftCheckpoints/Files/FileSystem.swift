import Foundation

/// The kind of thing that a path leads to, symbolic links followed.
package enum FileKind {
  case file, directory, nothing
  /// A device, a pipe or a socket, which may never end.
  case special

  package init(of path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      self = .nothing
      return
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: self = .file
    case S_IFDIR: self = .directory
    default: self = .special
    }
  }
}

/// The identity of a file or directory, whatever path leads to it; nil for nothing.
package struct FileIdentity: Equatable {
  let device: UInt64, node: UInt64

  package init?(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    (device, node) = (UInt64(status.st_dev), UInt64(status.st_ino))
  }
}

/// Creates a directory and its missing parents.
package func createDirectory(_ path: String) throws(CheckpointError) {
  guard makeDirectory(path) else { throw .writing(path) }
}

private func makeDirectory(_ path: String) -> Bool {
  if FileKind(of: path) == .directory { return true }
  guard path.parentDirectory == path || makeDirectory(path.parentDirectory) else { return false }
  return mkdir(path, 0o777) == 0 || errno == EEXIST && FileKind(of: path) == .directory
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

/// Makes a rename in the directory survive a power failure; file systems that cannot are left alone.
func synchronizeDirectory(_ path: String) {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return }
  fsync(descriptor)
  close(descriptor)
}

/// The path with every symbolic link in it followed; as given where nothing is there yet.
func resolvingLinks(_ path: String) -> String {
  guard let resolved = realpath(path, nil) else { return path }
  defer { free(resolved) }
  return String(cString: resolved)
}

/// The path from the root, without links to the directory itself being followed.
func fullPath(_ path: String) -> String {
  URL(fileURLWithPath: path).standardizedFileURL.path.trimmingTrailingSlashes
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
