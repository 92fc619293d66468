import Foundation

/// Bytes on their way to standard output or standard error.
///
/// Unlike the C library's streams it remembers that a writing failed, and with which code.
struct StandardStream {
  let descriptor: Int32
  private var waiting: [UInt8] = []
  /// The system's code for the first writing that failed; nothing more is written then.
  private(set) var failure: Int32?

  private static let capacity = 1 << 16

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  /// Takes text, and writes when there is much of it.
  mutating func put(_ text: String) {
    waiting += text.utf8
    if waiting.count >= Self.capacity { flush() }
  }

  /// Writes what was put.
  mutating func flush() {
    var rest = waiting[...]
    while !rest.isEmpty, failure == nil {
      let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      if count <= 0 { failure = count < 0 ? errno : ENOSPC } else { rest = rest.dropFirst(count) }
    }
    waiting.removeAll(keepingCapacity: true)
  }
}
