import Foundation
import Synchronization

/// The first SIGINT or SIGTERM asks a run to stop after its step; the second ends the process.
enum Interruption {
  private static let count = Atomic<Int>(0)

  static var isRequested: Bool { count.load(ordering: .relaxed) > 0 }

  static func watch() {
    for number in [SIGINT, SIGTERM] {
      signal(number) { _ in
        if Interruption.count.add(1, ordering: .relaxed).oldValue > 0 { _exit(75) }
      }
    }
  }

  /// A reader that goes away ends us quietly; a file that may not grow further is an error of the write, not the end.
  static func setUpFileSignals() {
    signal(SIGPIPE, SIG_DFL)
    signal(SIGXFSZ, SIG_IGN)
  }
}
