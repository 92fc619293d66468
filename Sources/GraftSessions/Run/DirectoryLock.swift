import Foundation
import GraftCheckpoints

/// The sole right to write to a directory, for as long as the object lives; the system takes it back from a process that ends in whatever way.
final class DirectoryLock {
  private let descriptor: Int32

  /// - Throws: `CheckpointError` of kind `cannotCreate` where another process holds it.
  init(_ path: String) throws(CheckpointError) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    // A file system without locks is no reason not to train.
    if descriptor >= 0, flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
      close(descriptor)
      throw CheckpointError(
        .cannotCreate, path, "another process is writing here", remedy: "wait until it has ended, or choose another directory with --output")
    }
    self.descriptor = descriptor
  }

  deinit { if descriptor >= 0 { close(descriptor) } }
}
