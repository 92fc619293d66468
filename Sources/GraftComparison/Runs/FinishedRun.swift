import Foundation
import GraftFiles
import GraftJSON
import GraftRecipes
import GraftReports
import GraftSessions

/// A run that has ended, as its directory tells of it.
public struct FinishedRun: Sendable {
  /// The run directory.
  public let path: String
  /// The name in tables: the last part of the path.
  public internal(set) var name: String
  /// The content of `summary.json`.
  public let summary: JSON
  let recipe: Recipe
  let points: [TrainingReport.Point]
  let evaluations: [TrainingReport.Evaluation]

  /// - Throws: `SessionError` for a directory that holds no run that has ended, `FileError` and `JSONError` for files that cannot be read.
  public init(_ path: String) throws {
    let folder = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    guard let bytes = try InputFile.bytesIfPresent(of: folder + "/summary.json") else { throw Self.missing(folder) }
    guard let text = String(validating: bytes, as: UTF8.self), let summary = try? JSON(parsing: text) else {
      throw SessionError(.data, "\(folder)/summary.json: is damaged; run the recipe again")
    }
    let lines = try TextFile.text(of: folder + "/metrics.jsonl").split(separator: "\n").map { try JSON(parsing: String($0)) }
    (self.path, self.summary) = (folder, summary)
    name = (folder as NSString).lastPathComponent
    recipe = try Recipe(file: folder + "/recipe.yaml")
    points = lines.compactMap(TrainingReport.Point.init)
    evaluations = lines.compactMap(TrainingReport.Evaluation.init)
  }

  private static func missing(_ path: String) -> SessionError {
    if FileManager.default.fileExists(atPath: path + "/results.json") {
      return SessionError(.usage, "\(path): holds a comparison, which has its report.html already; give run directories, or --png for its plots")
    }
    let hasBegun = FileManager.default.fileExists(atPath: path + "/metrics.jsonl")
    return SessionError(
      .usage,
      hasBegun
        ? "\(path): the run has not ended; go on with it by graft train \(path)/recipe.yaml --output \(path) --resume"
        : "\(path): holds no run; give a directory that graft train wrote")
  }

  /// A metric of the result; nil where it was not measured.
  func value(_ metric: String) -> Double? { summary[metric]?.double }

  /// The interval that holds a share with 95 % confidence: Wilson 1927, as Agresti and Coull 1998 recommend it.
  ///
  /// - Returns: nil for a metric that is no share, and where the run does not say how many examples it was counted on.
  package func interval(_ metric: String) -> ClosedRange<Double>? {
    let key = metric.hasSuffix("exact_match") ? "answered_prompts" : "evaluation_examples"
    guard MetricFigure.isShare(metric), metric.hasSuffix("token_accuracy") == false, recipe.task != .tokenClassification, let share = value(metric),
      let count = summary[key]?.int, count > 0
    else { return nil }
    return Self.interval(share: share, count: Double(count))
  }

  package static func interval(share: Double, count: Double) -> ClosedRange<Double> {
    let z = 1.959964
    let middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    let reach = z / (1 + z * z / count) * (share * (1 - share) / count + z * z / (4 * count * count)).squareRoot()
    return max(0, middle - reach)...min(1, middle + reach)
  }
}
