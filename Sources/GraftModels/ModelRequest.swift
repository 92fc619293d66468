import GraftBatching
import GraftJSON
import GraftLayers
import GraftTensors

/// What a family is asked to build.
public struct ModelRequest {
  public var config: ArchitectureConfiguration
  public var task: LearningTask
  /// How many labels a classifier tells apart; the configuration's where nil.
  public var labels: Int?
  /// Where the architecture leaves open which tokens see which.
  public var style: AttentionStyle

  public init(_ config: ArchitectureConfiguration, task: LearningTask, labels: Int? = nil, style: AttentionStyle = .causal) {
    (self.config, self.task, self.labels, self.style) = (config, task, labels, style)
  }

  /// The labels asked for, or those of `num_labels` or `id2label`; two where nothing says.
  public func labelCount() throws(ArchitectureError) -> Int {
    if let labels { return labels }
    return try config.count("num_labels", default: config.json["id2label"]?.object?.count ?? 2)
  }

  /// `problem_type`, or what the number of labels implies.
  public func problem() throws(ArchitectureError) -> ClassificationProblem {
    guard config.contains("problem_type") else { return try labelCount() == 1 ? .regression : .singleLabel }
    let name = try config.string("problem_type")
    guard let problem = ClassificationProblem(rawValue: name) else {
      let known = ClassificationProblem.allCases.map(\.rawValue).joined(separator: ", ")
      throw config.fail("problem_type", "unknown problem \"\(name)\"; known are \(known)")
    }
    return problem
  }

  /// The configuration of a decoder whose language-model head is not wanted: a tied head asks for no tensor.
  var headless: ArchitectureConfiguration {
    var members = (config.json.object?.map { ($0.key, $0.value) } ?? []).filter { $0.0 != "tie_word_embeddings" }
    members.append(("tie_word_embeddings", true))
    return ArchitectureConfiguration(.object(JSONObject(members)), source: config.source)
  }

  /// What to throw for a task that the family has no model for.
  func unsupportedTask(_ modelType: String, supported: [LearningTask]) -> ArchitectureError {
    config.fail(
      "model_type",
      "unsupported task \(task.rawValue) for \(modelType); it can do \(supported.map(\.rawValue).joined(separator: ", "))")
  }

  /// - Throws: `ArchitectureError` where a switch of the configuration has a value that no model here has.
  func require(_ key: String, is expected: Bool) throws(ArchitectureError) {
    guard try config.bool(key, default: expected) == expected else { throw config.fail(key, "unsupported value \(!expected)") }
  }
}

extension ArchitectureConfiguration {
  /// The activation that a key names.
  public func activation(_ key: String, default name: String) throws(ArchitectureError) -> Activation {
    let name = try string(key, default: name)
    guard let known = Activation(named: name) else { throw fail(key, "unsupported activation \"\(name)\"") }
    return known
  }

  /// The size of one of `heads` heads that share `width` columns.
  public func headSize(of width: Int, heads: Int, _ key: String) throws(ArchitectureError) -> Int {
    guard width % heads == 0 else { throw fail(key, "\(heads) heads do not divide \(width) columns") }
    return width / heads
  }
}
