import Foundation
import Synchronization

/// Makes one error line and exit code 74 of a page of a mapped file that cannot be read any more.
///
/// The system tells of it by SIGBUS, in the middle of any instruction that reads the page, so that nothing can be thrown:
/// the process ends, as on a failed read, and says which file it was. A file that is written over in place while a model
/// is in use has the same effect as far as it becomes shorter; other changes of it cannot be noticed.
enum MappingFaults {
  private struct Mapping {
    var start: UInt = 0, end: UInt = 0
    /// `PATH: became shorter...`, allocated; in a signal's handler nothing can be.
    var message: UnsafeMutablePointer<CChar>?
  }

  /// More mapped files than any model has shards; of those beyond the path is not told.
  private static let capacity = 1024
  nonisolated(unsafe) private static let mappings: UnsafeMutablePointer<Mapping> = {
    let mappings = UnsafeMutablePointer<Mapping>.allocate(capacity: capacity)
    mappings.initialize(repeating: Mapping(), count: capacity)
    return mappings
  }()
  private static let lock = Mutex(())

  /// Remembers which file the bytes are of.
  ///
  /// - Returns: the token that `unregister(_:)` takes.
  static func register(_ bytes: UnsafeRawBufferPointer, of path: String) -> Int? {
    watch
    return lock.withLock { _ in
      guard let index = (0..<capacity).first(where: { mappings[$0].end == 0 }) else { return nil }
      let line = "error: \(path): became shorter, or cannot be read from the disk, while it was in use; restore it and begin again\n"
      mappings[index].message = strdup(line)
      mappings[index].start = UInt(bitPattern: bytes.baseAddress)
      mappings[index].end = mappings[index].start + UInt(bytes.count)
      return index
    }
  }

  static func unregister(_ index: Int?) {
    guard let index else { return }
    lock.withLock { _ in
      mappings[index].end = 0
      free(mappings[index].message)
      mappings[index].message = nil
    }
  }

  private static let watch: Void = {
    var action = sigaction()
    action.sa_flags = Int32(SA_SIGINFO)
    #if os(Linux)
    action.__sigaction_handler.sa_sigaction = { _, information, _ in MappingFaults.end(at: information?.pointee._sifields._sigfault.si_addr) }
    #else
    action.__sigaction_u.__sa_sigaction = { _, information, _ in MappingFaults.end(at: information?.pointee.si_addr) }
    #endif
    sigaction(SIGBUS, &action, nil)
  }()

  /// Ends the process; a fault elsewhere is our own mistake, and ends it as ever.
  private static func end(at address: UnsafeMutableRawPointer?) {
    let place = UInt(bitPattern: address)
    for index in 0..<capacity {
      let end = (mappings[index].end + 0xFFFF) & ~0xFFFF  // the last page reaches beyond the file
      guard place >= mappings[index].start, place < end, let message = mappings[index].message else { continue }
      write(STDERR_FILENO, message, strlen(message))
      _exit(74)
    }
    signal(SIGBUS, SIG_DFL)
    raise(SIGBUS)
  }
}
