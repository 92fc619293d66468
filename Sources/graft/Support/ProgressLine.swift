import GraftReports
import GraftTraining
import Rainbow

/// The bar of a run, redrawn in place on a terminal.
struct ProgressLine {
  private var isShown = false

  mutating func show(step: Int, of total: Int, loss: Double, tokensPerSecond: Double, secondsLeft: Double) {
    let figures =
      "  \(step)/\(total)  loss \(Figure.fixed(loss, digits: 4))  \(Figure.grouped(Int(tokensPerSecond))) tok/s  "
      + "\(Figure.duration(seconds: secondsLeft)) left"
    let room = max(8, min(40, Console.width - figures.count - 2))
    let filled = room * step / max(1, total)
    let bar = String(repeating: "━", count: filled).green + String(repeating: "─", count: room - filled).dim
    Console.status("\r\u{1B}[2K\(bar)\(figures)")
    isShown = true
  }

  /// Shows how much of something is done, in words.
  mutating func show(_ words: String, done: Int, of total: Int) {
    Console.status("\r\u{1B}[2K\(words) \(Figure.fixed(100 * Double(done) / Double(max(1, total)), digits: 0)) %")
    isShown = true
  }

  /// Takes the bar away, so that a line can be printed.
  mutating func clear() {
    guard isShown else { return }
    Console.status("\r\u{1B}[2K")
    isShown = false
  }
}
