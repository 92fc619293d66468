import GraftConfiguration
import GraftDatasets
import GraftRecipes
import GraftTensors

extension Recipe {
  /// Label smoothing and the weights of classes, for a classifier's labels.
  ///
  /// - Throws: `SessionError` where the labels are numbers, or any number of classes, and have nothing to be smoothed or weighed;
  ///   and for a weight of a class that there is not.
  func crossEntropy(for labels: LabelScheme?) throws -> CrossEntropyOptions {
    let smoothing = training.labelSmoothing
    if let labels, labels.problem != .singleLabel, smoothing > 0 {
      throw SessionError(.usage, "training.label_smoothing: not for \(labels.problem.rawValue); leave it out")
    }
    guard let given = data.classWeights, let labels else { return CrossEntropyOptions(smoothing: Float(smoothing)) }
    guard labels.problem != .regression else {
      throw SessionError(.usage, "data.class_weights: the labels are numbers, which have no classes; leave it out, or set data.problem_type")
    }
    if let unknown = given.keys.sorted().first(where: { !labels.names.contains($0) }) {
      throw SessionError(
        .usage, "data.class_weights.\(unknown): there is no such class; \(NearestName.advice(for: unknown, among: Array(labels.names.prefix(20))))")
    }
    let weights = labels.names.map { Float(given[$0] ?? 1) }
    guard weights.contains(where: { $0 > 0 }) else {
      throw SessionError(.usage, "data.class_weights: every class counts for nothing; give one a weight above 0")
    }
    return CrossEntropyOptions(smoothing: Float(smoothing), classWeights: weights)
  }
}
