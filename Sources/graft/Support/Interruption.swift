import Foundation
import Synchronization

/// The effect of SIGINT and SIGTERM: while nothing is to be saved they end the process with 75; a run they ask to stop after its step, at the first
/// time, and end at the second.
enum Interruption {
  private static let count = Atomic<Int>(0)
  private static let isQuiet = Atomic<Bool>(false)

  static var isRequested: Bool { count.load(ordering: .relaxed) > 0 }

  /// From the start of every command.
  static func endAtOnce() {
    for number in [SIGINT, SIGTERM] { signal(number) { _ in _exit(75) } }
  }

  /// From where there is something to save.
  static func watch(isQuiet: Bool) {
    self.isQuiet.store(isQuiet, ordering: .relaxed)
    for number in [SIGINT, SIGTERM] {
      signal(number) { _ in
        guard Interruption.count.add(1, ordering: .relaxed).oldValue == 0 else { _exit(75) }
        if !Interruption.isQuiet.load(ordering: .relaxed) { Interruption.say("\nstopping after this step; again to abandon\n") }
      }
    }
  }

  /// Writes to standard error what a signal's handler may write: bytes that are there already.
  private static func say(_ text: StaticString) { _ = write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount) }

  private static let isReplying = Atomic<Bool>(false)

  /// From now on SIGINT stops the reply being written; a second one, or one between replies, ends the process, as SIGTERM does.
  static func watchReplies() {
    signal(SIGTERM) { _ in Interruption.leaveChat() }
    signal(SIGINT) { _ in
      guard Interruption.isReplying.load(ordering: .relaxed), Interruption.count.add(1, ordering: .relaxed).oldValue == 0 else {
        return Interruption.leaveChat()
      }
    }
  }

  /// Ends the process, with the terminal as it was before a line was asked for.
  private static func leaveChat() {
    LineEditor.restoreTerminal()
    say("\n")
    _exit(75)
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
