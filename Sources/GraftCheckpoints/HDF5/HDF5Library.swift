import CHDF5
import Foundation

/// The HDF5 C library behind one lock: it may not be entered by two threads, and it prints unless told not to.
package enum HDF5Library {
  private static let lock: NSRecursiveLock = {
    // What we write is complete before the process ends; at exit the library would only complain about what damaged
    // files left half open.
    H5dont_atexit()
    return NSRecursiveLock()
  }()

  /// Runs `body` alone in the library, its own error messages silenced.
  static func serialized<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    lock.lock()
    defer { lock.unlock() }
    CHDF5_silence()
    return try body()
  }

  /// The library's version, as "1.10.8".
  package static var version: String {
    serialized {
      var (major, minor, release): (UInt32, UInt32, UInt32) = (0, 0, 0)
      H5get_libversion(&major, &minor, &release)
      return "\(major).\(minor).\(release)"
    }
  }
}

/// An open object of the library, closed with its last reference.
final class HDF5Identifier {
  let id: hid_t
  private let close: (hid_t) -> herr_t

  /// Takes over `id`; `nil` when it stands for a failure.
  init?(_ id: hid_t, closedBy close: @escaping (hid_t) -> herr_t) {
    guard id >= 0 else { return nil }
    self.id = id
    self.close = close
  }

  deinit {
    HDF5Library.serialized { _ = close(id) }
  }
}
