import GraftBatching
import GraftDatasets
import GraftJSON
import GraftLayers
import GraftRecipes

/// The records of labels: in the `config.json` of a checkpoint and beside a trained adapter.
extension CheckpointLabels {
  /// The names of a `config.json`, in the order of their indices, and its problem, where it says so or has one output only.
  init(configuration: JSON) {
    let pairs = (configuration["id2label"]?.object ?? JSONObject()).compactMap { key, value in
      Int(key).flatMap { index in value.string.map { (index, $0) } }
    }
    self.init(names: pairs.sorted { $0.0 < $1.0 }.map(\.1), problem: configuration["problem_type"]?.string.flatMap(ClassificationProblem.init))
    let task = LearningTask(of: configuration)
    guard task == .sequenceClassification || task == .tokenClassification else { return }
    // Transformers' classifiers have two outputs where their configurations say nothing.
    if names.isEmpty { names = LabelScheme.placeholders(min(max(configuration["num_labels"]?.int ?? 2, 1), 1_000_000)) }
    if problem == nil, task == .sequenceClassification, names.count == 1 { problem = .regression }
  }
}

extension LabelScheme {
  private static let namesKey = "labels", problemKey = "problem_type"

  /// The record of labels that an adapter's training keeps.
  var state: [(String, JSON)] {
    [(Self.namesKey, .array(names.map(JSON.string))), (Self.problemKey, .string(problem.rawValue))]
  }

  /// The labels that an adapter was trained with; nil where it keeps none.
  init?(state: JSON) {
    guard let names = state[Self.namesKey]?.array?.compactMap(\.string), !names.isEmpty else { return nil }
    self.init(names: names, problem: state[Self.problemKey]?.string.flatMap(ClassificationProblem.init) ?? .singleLabel)
  }

  /// The labels of a classifier; nil for any other model.
  /// - Parameter names: as many as it has outputs, or they are not its own.
  init?(of model: any Model, names: [String] = []) {
    let count: Int
    let problem: ClassificationProblem
    switch model {
    case let model as any SequenceClassifier: (count, problem) = (model.labelCount, model.problem)
    case let model as any TokenClassifier: (count, problem) = (model.labelCount, .singleLabel)
    default: return nil
    }
    self.init(names: names.count == count ? names : Self.placeholders(count), problem: problem)
  }

  /// Notes names and problem in a `config.json`.
  func record(in configuration: inout JSON, hasProblem: Bool) {
    configuration["id2label"] = .object(JSONObject(names.enumerated().map { (String($0), .string($1)) }))
    configuration["label2id"] = .object(JSONObject(names.enumerated().map { ($1, .integer($0)) }))
    if hasProblem { configuration[Self.problemKey] = .string(problem.rawValue) }
  }
}

extension LabelSettings {
  /// The labels that a recipe and its base speak of.
  init(_ data: Recipe.Data, configuration: JSON) {
    self.init(
      problem: data.problemType, count: data.numLabels, names: data.labels?.map(\.text), checkpoint: CheckpointLabels(configuration: configuration))
  }
}
