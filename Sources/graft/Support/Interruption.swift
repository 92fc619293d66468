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

  private static let isReplying = Atomic<Bool>(false)

  /// From now on SIGINT stops the reply being written; a second one, or one between replies, ends the process, as SIGTERM does.
  static func watchReplies() {
    signal(SIGTERM) { _ in _exit(75) }
    signal(SIGINT) { _ in
      guard Interruption.isReplying.load(ordering: .relaxed), Interruption.count.add(1, ordering: .relaxed).oldValue == 0 else { _exit(75) }
    }
  }

  /// Runs the writing of a reply, which asks `isRequested`.
  static func whileReplying<R>(_ body: () throws -> R) rethrows -> R {
    count.store(0, ordering: .relaxed)
    isReplying.store(true, ordering: .relaxed)
    defer { isReplying.store(false, ordering: .relaxed) }
    return try body()
  }

  /// A reader that goes away ends us quietly; a file that may not grow further is an error of the write, not the end.
  static func setUpFileSignals() {
    signal(SIGPIPE, SIG_DFL)
    signal(SIGXFSZ, SIG_IGN)
  }
}
