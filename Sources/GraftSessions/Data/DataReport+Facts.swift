import GraftDatasets
import GraftReports

extension DataReport {
  /// A line of figures: what it is about, and the figures in words.
  public typealias Fact = (name: String, words: String)

  /// The figures of the records to train on, or of those held out, in words.
  public func facts(of part: DataReview.Part) -> [Fact] {
    var facts: [Fact] = [
      ("files", part.files.joined(separator: ", ")),
      ("format", part.format.map { "\($0.rawValue), for \(task.rawValue)" } ?? "none that is known"),
      ("records", Self.records(part)),
    ]
    guard part.report.recordCount > 0 else { return facts }
    facts.append(("lengths", Self.lengths(part)))
    if let maxLength = review.maxLength { facts.append(("max_length", cuts(part, maxLength))) }
    if part.report.scoredTokenCount > 0 {
      let share = Self.percent(part.report.scoredTokenCount, of: part.report.tokenCount)
      facts.append(("trained", "\(Figure.grouped(part.report.scoredTokenCount)) of \(Figure.grouped(part.report.tokenCount)) tokens (\(share))"))
    }
    if part.endCount > 0 {
      let isAll = part.trainedEndCount == part.endCount
      facts.append(
        ("end token", "trained in \(isAll ? "all \(Figure.grouped(part.endCount))" : Self.count(part.trainedEndCount, of: part.endCount)) examples"))
    }
    if !part.labelCounts.isEmpty { facts.append(("labels", Self.labels(part))) }
    return facts
  }

  private static func records(_ part: DataReview.Part) -> String {
    let dropped = part.report.droppedCount
    let unread = part.recordCount - part.report.recordCount
    return "\(Figure.grouped(part.recordCount)), of which \(Figure.grouped(part.exampleCount)) examples to learn from"
      + (unread > 0 ? ", \(Figure.grouped(unread)) refused" : "") + (dropped > 0 ? ", \(Figure.grouped(dropped)) without loss" : "")
  }

  private static func lengths(_ part: DataReview.Part) -> String {
    let words = quantiles.dropLast().map { "\(Figure.fixed(100 * $0, digits: 0)) % up to \(Figure.grouped(part.length(keeping: $0)))" }
    return words.joined(separator: ", ") + ", the longest \(Figure.grouped(part.report.longest)) tokens"
  }

  /// The share of records that are cut, and the lengths that would keep most.
  private func cuts(_ part: DataReview.Part, _ maxLength: Int) -> String {
    let share = part.share(longerThan: maxLength)
    let windows = part.report.truncatedCount == 0 && share > 0 ? "divided into windows" : "cut"
    return "\(Figure.grouped(maxLength)): \(share == 0 ? "none" : "\(Figure.fixed(100 * share, digits: 1)) %") \(windows); "
      + "\(Figure.grouped(part.length(keeping: 0.95))) keeps 95 %, \(Figure.grouped(part.length(keeping: 0.99))) keeps 99 %"
  }

  private static func labels(_ part: DataReview.Part) -> String {
    let total = part.labelCounts.reduce(0) { $0 + $1.count }
    let shown = part.labelCounts.prefix(8).map { "\($0.name) \(percent($0.count, of: total))" }.joined(separator: ", ")
    return shown + (part.labelCounts.count > 8 ? " and \(part.labelCounts.count - 8) more" : "")
  }

  private static func count(_ some: Int, of all: Int) -> String { "\(Figure.grouped(some)) of \(Figure.grouped(all))" }

  private static func percent(_ some: Int, of all: Int) -> String { "\(Figure.fixed(100 * Double(some) / Double(max(1, all)), digits: 1)) %" }
}
