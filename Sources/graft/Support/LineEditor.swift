import CEditline
import Foundation
import Synchronization

/// Lines typed at a terminal, which can be edited and called back with the arrows.
enum LineEditor {
  /// The most lines that can be called back.
  private static let historyLength: Int32 = 1000
  private static let isReading = Atomic<Bool>(false)

  /// Takes over the terminal whenever a line is asked for.
  static func setUp() {
    _ = CEditline_begin()
    using_history()
    stifle_history(historyLength)
  }

  /// The next line without its end; nil at the end of the input.
  static func line(after prompt: String) -> String? {
    isReading.store(true, ordering: .relaxed)
    defer { isReading.store(false, ordering: .relaxed) }
    guard let typed = readline(prompt) else { return nil }
    defer { free(typed) }
    let line = String(cString: typed)
    if line.contains(where: { !$0.isWhitespace }) { add_history(line) }
    return line
  }

  /// Gives the terminal back as it was, before the process ends in the middle of a line.
  static func restoreTerminal() {
    if isReading.load(ordering: .relaxed) { rl_deprep_terminal() }
  }
}
