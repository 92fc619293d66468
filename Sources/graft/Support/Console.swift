import Foundation

/// Results go to standard output, everything else to standard error.
enum Console {
  static func output(_ line: String) { write(line + "\n", to: stdout) }

  /// Part of a line, at once, as streaming needs.
  static func stream(_ text: String) {
    write(text, to: stdout)
    fflush(stdout)
  }

  static func note(_ line: String) { write(line + "\n", to: stderr) }

  static func error(_ line: String) { write(line + "\n", to: stderr) }

  static func status(_ text: String) {
    write(text, to: stderr)
    fflush(stderr)
  }

  static var errorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 }
  static var outputIsTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

  /// Columns of the terminal, 80 where it does not say.
  static var width: Int {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  private static func write(_ text: String, to file: UnsafeMutablePointer<FILE>?) {
    guard let file else { return }
    fputs(text, file)
  }
}
