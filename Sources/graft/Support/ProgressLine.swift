import GraftReports
import GraftSessions
import Rainbow

/// One line that says how far something has come, redrawn in place on a terminal of any width.
struct ProgressLine {
  private var isShown = false
  private var drawn = ""

  /// The fewest columns of a bar.
  private static let shortestBar = 5

  /// The bar of a run's steps.
  mutating func show(step: Int, of total: Int, loss: Double, tokensPerSecond: Double, secondsLeft: Double) {
    let figures = [
      "\(step)/\(total)", "loss \(Figure.fixed(loss, digits: 4))", "\(Figure.duration(seconds: secondsLeft)) left",
      "\(Figure.grouped(Int(tokensPerSecond))) tok/s",
    ]
    // A short bar is worth the speed, and not the time that is left.
    let (width, necessary) = (Console.width - 1, Array(figures.prefix(3)))
    let hasRoom = necessary.joined(separator: "  ").count + Self.shortestBar + 2 <= width
    draw(hasRoom ? Self.fitted(figures, into: width - Self.shortestBar - 2) : Self.fitted(necessary, into: width), done: step, of: total)
  }

  /// The progress of a part that takes its time beside the steps.
  mutating func show(_ progress: RunProgress) { show(progress.part.words, done: progress.done, of: progress.total) }

  /// Words, and how much of what they say is done; 0 of 0 where that is not counted.
  mutating func show(_ words: String, done: Int = 0, of total: Int = 0) {
    guard total > 0 else { return draw(String(words.prefix(Console.width - 1)), done: 0, of: 0) }
    let figures = [words, "\(Figure.fixed(100 * Double(done) / Double(total), digits: 0)) %"]
    draw(Self.fitted(figures, into: Console.width - 1), done: done, of: total)
  }

  /// Takes the line away, so that another can be printed.
  mutating func clear() {
    guard isShown else { return }
    Console.status("\r\u{1B}[2K")
    (isShown, drawn) = (false, "")
  }

  /// Draws figures with a bar before them, where there is room for one.
  private mutating func draw(_ figures: String, done: Int, of total: Int) {
    let room = min(40, Console.width - 1 - figures.count - 2)
    var line = figures
    if total > 0, room >= Self.shortestBar {
      let filled = min(room, room * done / total)
      line = String(repeating: "━", count: filled).green + String(repeating: "─", count: room - filled).dim + "  " + figures
    }
    guard line != drawn || !isShown else { return }
    Console.status("\r\u{1B}[2K\(line)")
    (isShown, drawn) = (true, line)
  }

  /// Figures in one line, without the last ones where it would be too long.
  static func fitted(_ figures: [String], into width: Int) -> String {
    let counts = (1...max(1, figures.count)).reversed()
    let lines = counts.lazy.map { figures.prefix($0).joined(separator: "  ") }
    return lines.first { $0.count <= width } ?? String((figures.first ?? "").prefix(max(1, width)))
  }
}

extension RunProgress.Part {
  /// The part as a user reads it.
  var words: String {
    switch self {
    case .loading: "loading the weights"
    case .hashing: "hashing the weights"
    case .encoding: "encoding the records"
    case .evaluating: "evaluating"
    case .answering: "answering prompts"
    }
  }
}

/// Says how a run or a comparison is prepared: in place on a terminal; elsewhere its first line, and a line every tenth of a large encoding.
struct PreparationLine {
  let isQuiet: Bool
  private var bar = ProgressLine()
  private var told = 0

  /// - Parameter words: said at once, before anything is read.
  init(isQuiet: Bool, _ words: String) {
    self.isQuiet = isQuiet
    guard !isQuiet else { return }
    if Console.errorIsTerminal { bar.show(words) } else { Console.note(words) }
  }

  mutating func show(_ progress: RunProgress) {
    guard !isQuiet else { return }
    if Console.errorIsTerminal { return bar.show(progress) }
    guard progress.part == .encoding, progress.total > 0 else { return }
    let tenth = 10 * progress.done / progress.total
    guard tenth > told else { return }
    told = tenth
    Console.note("\(progress.part.words): \(10 * tenth) %")
  }

  /// Takes the line away.
  mutating func end() { bar.clear() }
}

/// A line of progress for a command that has nothing else to say meanwhile; none where there is no terminal.
final class Watch {
  private let isShown: Bool
  private var bar = ProgressLine()

  init(isQuiet: Bool) { isShown = !isQuiet && Console.errorIsTerminal }

  deinit { bar.clear() }

  func show(_ progress: RunProgress) { if isShown { bar.show(progress) } }

  /// Takes the line away.
  func end() { bar.clear() }
}
