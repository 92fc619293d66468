/// The kind of a text's labels, as `problem_type` names it.
public enum ClassificationProblem: String, Sendable, Hashable, CaseIterable {
  /// One of several classes: cross-entropy.
  case singleLabel = "single_label_classification"
  /// Any number of several classes: binary cross-entropy of each.
  case multiLabel = "multi_label_classification"
  /// A number, or several: squared error.
  case regression
}
