import Foundation
import GraftReports

/// The words and figures of a comparison's table, for a page and for a terminal.
public enum ComparisonText {
  /// `Exact match` for `exact_match`.
  public static func metric(_ name: String) -> String { MetricFigure.title(name) }

  /// A share in percent, anything else with four digits.
  public static func score(_ value: Double, _ metric: String) -> String { MetricFigure.text(value, of: metric) }

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
    guard row.score.isFinite else {
      return [row.name, row.status.rawValue, "", "", "", "", "", "", "", ""] + (hasForgetting ? [""] : []) + ["", Figure.compact(row.learningRate)]
    }
    let interval = row.interval.map { MetricFigure.text($0, of: result.metric) }
    return [
      row.name, score(row.score, result.metric), interval ?? "", row.isBest ? "best" : row.isTie ? "tie" : "",
      isBase ? "" : Figure.grouped(row.trainableParameters), isBase ? "" : Figure.bytes(row.adapterBytes),
      isBase ? "" : Figure.bytes(row.peakMemoryBytes),
      isBase ? "" : Figure.duration(seconds: row.seconds), isBase ? "" : Figure.grouped(Int(row.tokensPerSecond)),
      isBase ? "" : row.finalLoss.map { Figure.fixed($0, digits: 4) } ?? "",
    ] + (hasForgetting ? [row.forgetting.map { ($0 < 0 ? "" : "+") + Figure.fixed($0, digits: 3) } ?? ""] : [])
      + [isBase ? "" : row.isMergeable ? "yes" : "no", isBase ? "" : Figure.compact(row.learningRate)]
  }

  /// A sentence where nothing that was trained is surely better than what was there before; nil otherwise.
  public static func warning(_ result: ComparisonResult) -> String? {
    guard result.isBaseAsGood, let best = result.best else { return nil }
    return best.status == .baseline
      ? "nothing is better than the untouched base" : "\(best.name) is the best, but is not surely better than the untouched base"
  }

  /// A line for every method of which not all runs succeeded.
  public static func failures(_ result: ComparisonResult) -> [String] {
    result.rows.filter { $0.failureCount > 0 }.map { row in
      let diverged = result.runs.contains { $0.name == row.name && $0.status == .diverged }
      return "\(row.name): \(row.failureCount) of \(row.runCount) runs \(diverged ? "diverged" : "failed"): \(row.message)"
    }
  }
}
