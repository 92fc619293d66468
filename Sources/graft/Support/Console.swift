import Foundation
import GraftFiles
import Synchronization

/// Results go to standard output, everything else to standard error.
enum Console {
  private static let standardOutput = Mutex(StandardStream(STDOUT_FILENO)), standardError = Mutex(StandardStream(STDERR_FILENO))

  /// A result as it is: JSON, or what a model wrote.
  static func output(_ line: String) {
    standardOutput.withLock { stream in
      stream.put(line + "\n")
      if outputIsTerminal { stream.flush() }
    }
  }

  /// Lines for reading, whatever the names in them would command.
  static func report(_ lines: String) { output(visible(lines, isTerminal: outputIsTerminal)) }

  /// Part of a line, at once, as streaming needs.
  static func stream(_ text: String) {
    standardOutput.withLock { $0.put(text) }
    finish()
  }

  /// Makes sure that what was put out has arrived; ends with an error where it has not, as on a full disk.
  static func finish() {
    guard let code = flushOutput() else { return }
    let failure = Failure(
      FileError(.inputOutput, "standard output", FileError.writing("", code).problem, remedy: "free some space or choose another place"))
    error("error: \(failure.message)")
    Foundation.exit(failure.status.rawValue)
  }

  /// Writes what was put out, so that it stands before what follows on standard error.
  ///
  /// - Returns: the system's code where that failed.
  @discardableResult
  static func flushOutput() -> Int32? {
    standardOutput.withLock { stream in
      stream.flush()
      return stream.failure
    }
  }

  /// Takes the numbers of standard streams that are closed, so that no file of ours gets one of them and what is printed with it.
  static func setUp() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 { _ = open("/dev/null", O_RDONLY) }
  }

  /// Lines for reading on standard error.
  static func note(_ line: String) { status(visible(line, isTerminal: errorIsTerminal) + "\n") }

  static func error(_ line: String) { status(line + "\n") }

  /// Text on standard error, at once; where it cannot be told, it is not.
  static func status(_ text: String) {
    standardError.withLock { stream in
      stream.put(text)
      stream.flush()
    }
  }

  /// Lines without control characters but for our own colours, which a terminal alone is sent.
  private static func visible(_ text: String, isTerminal: Bool) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      let pieces = isTerminal ? line.split(separator: /\u{1B}\[[0-9;]*m/, omittingEmptySubsequences: false) : [line]
      guard pieces.count > 1 else { return String(line).printable }
      let colours = line.matches(of: /\u{1B}\[[0-9;]*m/).map { String($0.output) }
      return zip(pieces, colours + [""]).map { String($0).printable + $1 }.joined()
    }.joined(separator: "\n")
  }

  static var inputIsTerminal: Bool { isatty(STDIN_FILENO) == 1 }

  static var outputIsTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

  static var errorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 }

  /// Columns of the terminal, 80 where it does not say.
  static var width: Int {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }
}
