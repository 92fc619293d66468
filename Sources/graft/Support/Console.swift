import Foundation
import GraftFiles

/// Results go to standard output, everything else to standard error.
enum Console {
  /// A result as it is: JSON, or what a model wrote.
  static func output(_ line: String) { print(line) }

  /// Lines for reading, whatever the names in them would command.
  static func report(_ lines: String) { print(visible(lines, isTerminal: outputIsTerminal)) }

  /// Part of a line, at once, as streaming needs.
  static func stream(_ text: String) {
    print(text, terminator: "")
    fflush(nil)
  }

  /// Lines for reading on standard error.
  static func note(_ line: String) { status(visible(line, isTerminal: errorIsTerminal) + "\n") }

  static func error(_ line: String) { status(line + "\n") }

  static func status(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }

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
