import GraftJSON
import GraftReports

/// The headline of a run that has ended: the metric that says the most, for the untrained model and for the result.
public struct RunChange: Sendable, Equatable {
  /// The metric in words.
  public let name: String
  /// Its value for the untrained model, and for the result, as readers like it.
  public let before: String, after: String

  /// The metrics that say the most of a task, the first ones more than the later.
  package static let metrics = [AnswerCheck.metric, "eval_accuracy", "eval_subset_accuracy", "eval_pearson"]

  /// - Parameter summary: the content of `summary.json`; nil where the metric was not measured twice.
  public init?(_ summary: JSON) {
    for metric in Self.metrics + ["eval_loss"] {
      guard let before = summary["initial_" + metric]?.double, let after = summary[metric]?.double else { continue }
      name = metric == "eval_loss" ? "held-out loss" : MetricFigure.words(metric)
      (self.before, self.after) = (MetricFigure.text(before, of: metric), MetricFigure.text(after, of: metric))
      return
    }
    return nil
  }
}
