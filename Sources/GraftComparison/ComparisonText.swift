import Foundation
import GraftReports

/// The words and figures of a comparison's table, for a page and for a terminal.
public enum ComparisonText {
  /// `exact match` for `exact_match`.
  public static func metric(_ name: String) -> String {
    let words = name.replacingOccurrences(of: "_", with: " ")
    return words.prefix(1).uppercased() + words.dropFirst()
  }

  /// A share in percent, anything else with four digits.
  public static func score(_ value: Double, _ metric: String) -> String {
    guard value.isFinite else { return "" }
    return ["exact_match", "accuracy"].contains(metric) ? Figure.fixed(100 * value, digits: 1) + " %" : Figure.fixed(value, digits: 4)
  }

  /// Returns the titles of the table's columns.
  public static func columns(_ result: ComparisonResult) -> [String] {
    columns(metric: result.metric, hasForgetting: result.rows.contains { $0.forgetting != nil })
  }

  package static func columns(metric name: String, hasForgetting: Bool) -> [String] {
    ["method", metric(name).lowercased(), "95 % interval", "", "parameters", "adapter", "memory", "time", "tokens/s", "training loss"]
      + (hasForgetting ? ["forgetting"] : []) + ["merges", "learning rate"]
  }

  /// A line of the table, as many cells as there are columns.
  public static func cells(_ row: ComparisonResult.Row, in result: ComparisonResult) -> [String] {
    let hasForgetting = result.rows.contains { $0.forgetting != nil }
    let isBase = row.status == .baseline
    let isShare = ["exact_match", "accuracy"].contains(result.metric)
    guard row.score.isFinite else {
      return [row.name, row.status.rawValue, "", "", "", "", "", "", "", ""] + (hasForgetting ? [""] : []) + ["", Figure.compact(row.learningRate)]
    }
    let interval = row.interval.map { range in
      isShare
        ? "\(Figure.fixed(100 * range.lowerBound, digits: 1)) – \(Figure.fixed(100 * range.upperBound, digits: 1))"
        : "\(Figure.fixed(range.lowerBound, digits: 4)) – \(Figure.fixed(range.upperBound, digits: 4))"
    }
    return [
      row.name, score(row.score, result.metric), interval ?? "", row.isBest ? "best" : row.isTie ? "tie" : "",
      isBase ? "" : Figure.grouped(row.trainableParameters), isBase ? "" : Figure.bytes(row.adapterBytes),
      isBase ? "" : Figure.bytes(row.peakMemoryBytes),
      isBase ? "" : Figure.duration(seconds: row.seconds), isBase ? "" : Figure.grouped(Int(row.tokensPerSecond)),
      isBase ? "" : row.finalLoss.map { Figure.fixed($0, digits: 4) } ?? "",
    ] + (hasForgetting ? [row.forgetting.map { ($0 < 0 ? "" : "+") + Figure.fixed($0, digits: 3) } ?? ""] : [])
      + [isBase ? "" : row.isMergeable ? "yes" : "no", isBase ? "" : Figure.compact(row.learningRate)]
  }

  /// A line for every method of which not all runs succeeded.
  public static func failures(_ result: ComparisonResult) -> [String] {
    result.rows.filter { $0.failureCount > 0 }.map { row in
      let diverged = result.runs.contains { $0.name == row.name && $0.status == .diverged }
      return "\(row.name): \(row.failureCount) of \(row.runCount) runs \(diverged ? "diverged" : "failed"): \(row.message)"
    }
  }
}
