import Foundation

/// Results go to standard output, everything else to standard error.
enum Console {
  static func output(_ line: String) { print(line) }

  /// Part of a line, at once, as streaming needs.
  static func stream(_ text: String) {
    print(text, terminator: "")
    fflush(nil)
  }

  static func note(_ line: String) { status(line + "\n") }

  static func error(_ line: String) { status(line + "\n") }

  static func status(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }

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
