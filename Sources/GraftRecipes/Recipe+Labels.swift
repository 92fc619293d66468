import GraftBatching
import GraftConfiguration
import GraftDatasets

/// The name of a class, which may look like a number or a truth value.
public struct LabelName: Codable, Sendable, Hashable, ExpressibleByStringLiteral {
  /// The name.
  public var text: String

  public init(stringLiteral value: String) { text = value }

  public init(from decoder: any Decoder) throws {
    switch try ConfigTree(from: decoder).scalar {
    case .string(let name): text = name
    case .integer(let number): text = String(number)
    case .number(let number): text = String(number)
    case .bool(let flag): text = String(flag)
    case .null, nil:
      throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "a label is no text"))
    }
  }

  public func encode(to encoder: any Encoder) throws { try text.encode(to: encoder) }
}

extension Recipe {
  /// Keys of labels that have no meaning for the task.
  func labelProblems() -> [RecipeProblem] {
    var problems: [RecipeProblem] = []
    let isText = task == .sequenceClassification
    let isClassifier = isText || task == .tokenClassification
    for (key, isGiven, suits) in [
      ("problem_type", data.problemType != nil, isText), ("num_labels", data.numLabels != nil, isClassifier),
      ("labels", data.labels != nil, isClassifier),
      ("class_weights", data.classWeights != nil, isClassifier),
    ] where isGiven && !suits {
      problems.append(RecipeProblem("data." + key, "not for \(task.rawValue)", "leave it out, or set task: sequence_classification"))
    }
    if data.problemType == .regression, training.labelSmoothing > 0 {
      problems.append(RecipeProblem("training.label_smoothing", "regression has no classes to spread it over", "leave it out"))
    }
    return problems
  }
}

extension Recipe.Data {
  func tableProblems() -> [RecipeProblem] {
    guard let delimiter, TableLayout.delimiter(named: delimiter) == nil else { return [] }
    return [RecipeProblem("data.delimiter", "'\(delimiter)' is not one ASCII character", #"write one, such as ";" or "\t""#)]
  }

  func labelProblems() -> [RecipeProblem] {
    var problems: [RecipeProblem] = []
    let names = labels?.map(\.text) ?? []
    if let numLabels, numLabels < 1 { problems.append(RecipeProblem("data.num_labels", "\(numLabels) is impossible", "choose 1 or more")) }
    if let numLabels, numLabels > 1_000_000 {
      problems.append(RecipeProblem("data.num_labels", "\(numLabels) is more than there can be", "choose at most 1000000"))
    }
    if numLabels == 1, problemType == .singleLabel {
      problems.append(RecipeProblem("data.num_labels", "one class is nothing to choose from", "choose 2 or more, or set problem_type: regression"))
    }
    if labels != nil, names.isEmpty { problems.append(RecipeProblem("data.labels", "the list is empty", "name the classes, or remove the key")) }
    var seen: Set<String> = []
    if let twice = names.first(where: { !seen.insert($0).inserted }) {
      problems.append(RecipeProblem("data.labels", "'\(twice)' stands twice", "give each class once"))
    }
    if let numLabels, labels != nil, numLabels != names.count {
      problems.append(RecipeProblem("data.num_labels", "\(numLabels) is not the number of data.labels, \(names.count)", "remove one of the keys"))
    }
    if problemType == .regression, labels != nil { problems.append(RecipeProblem("data.labels", "regression has no classes", "remove the key")) }
    if problemType == .regression, classWeights != nil {
      problems.append(RecipeProblem("data.class_weights", "regression has no classes", "remove the key"))
    }
    if let (name, weight) = classWeights?.sorted(by: { $0.key < $1.key }).first(where: { !($0.value >= 0 && $0.value.isFinite) }) {
      problems.append(RecipeProblem("data.class_weights.\(name)", "\(weight) is no weight", "choose a number of 0 or more"))
    }
    return problems
  }
}
