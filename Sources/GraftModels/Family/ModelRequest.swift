import GraftBatching
import GraftJSON
import GraftLayers
import GraftTensors

/// A configuration, and what the model that it describes is for.
public struct ModelRequest {
  /// The configuration, resolved for its family where a family builds from it.
  public var config: ArchitectureConfiguration
  /// The task that the model is for.
  public var task: LearningTask
  /// The number of labels that a classifier tells apart; the configuration's where nil.
  public var labels: Int?
  /// The kind of its labels; the one that the configuration says or implies where nil.
  public var problemType: ClassificationProblem?
  /// The attention style, where the architecture leaves it open; the configuration's where nil.
  public var style: AttentionStyle?
  /// True where only the hidden states of a decoder or an encoder are wanted: no head is asked for.
  public var isHeadless: Bool
  /// True where a masked language model is to tell pairs of sentences apart, too.
  public var pairsSentences: Bool
  /// The coefficients of routers' losses that a training asks for; the configuration's where nil.
  public var routerLosses: RouterLossFactors?

  /// A request for a model with the head of a task.
  public init(
    _ config: ArchitectureConfiguration, task: LearningTask = .causalLM, labels: Int? = nil, problem: ClassificationProblem? = nil,
    style: AttentionStyle? = nil, isHeadless: Bool = false, pairsSentences: Bool = false, routerLosses: RouterLossFactors? = nil
  ) {
    (self.config, self.task, self.labels, self.problemType, self.style) = (config, task, labels, problem, style)
    (self.isHeadless, self.pairsSentences, self.routerLosses) = (isHeadless, pairsSentences, routerLosses)
  }

  /// The labels asked for, or those of `num_labels` or `id2label`; two where nothing says.
  public func labelCount() throws(ArchitectureError) -> Int {
    if let labels { return labels }
    if config.contains("num_labels") { return try config.listCount("num_labels") }
    guard config.contains("id2label") else { return 2 }
    guard let count = config.json["id2label"]?.object?.count, count > 0 else { throw config.fail("id2label", "it must be an object of labels") }
    return count
  }

  /// The problem asked for, `problem_type`, or what the number of labels implies.
  public func problem() throws(ArchitectureError) -> ClassificationProblem {
    if let problemType { return problemType }
    guard config.contains("problem_type") else { return try labelCount() == 1 ? .regression : .singleLabel }
    let name = try config.string("problem_type")
    guard let problem = ClassificationProblem(rawValue: name) else {
      let known = ClassificationProblem.allCases.map(\.rawValue).joined(separator: ", ")
      throw config.fail("problem_type", "unknown problem \"\(name)\"; known are \(known)")
    }
    return problem
  }

  /// The style asked for by a decoder, or that of its `attention_style`; causal where nothing says.
  ///
  /// - Throws: `ArchitectureError` for an unknown style, and for one that has no meaning for the task.
  func decoderStyle() throws(ArchitectureError) -> AttentionStyle {
    let own = try config.attentionStyle()
    let style = self.style ?? own
    if style == .prefix, task != .causalLM {
      throw config.fail("attention", "prefix is for prompts and their completions; for \(task.rawValue) choose causal or bidirectional")
    }
    return style
  }

  /// - Throws: `ArchitectureError` where a style is asked for that the family does not have; causal is what a recipe says by default.
  func requireStyle(_ own: AttentionStyle, _ modelType: String) throws(ArchitectureError) {
    guard let style, style != .causal, style != own else { return }
    throw config.fail("attention", "\(style.rawValue) is not for \(modelType), whose architecture says which tokens see which; leave it out")
  }

  /// The error for a task that the family has no model for.
  func unsupportedTask(_ modelType: String, supported: [LearningTask]) -> ArchitectureError {
    config.fail(
      "model_type",
      "unsupported task \(task.rawValue) for \(modelType); it can do \(supported.map(\.rawValue).joined(separator: ", "))")
  }
}

extension ArchitectureConfiguration {
  /// Our own key for decoders that were trained with another attention than the causal one.
  public static let attentionStyleKey = "attention_style"

  /// The attention style of a decoder: Transformers says it with `is_causal`.
  public func attentionStyle() throws(ArchitectureError) -> AttentionStyle {
    let isCausal = try bool("is_causal", default: true)
    if !isCausal, contains("sliding_window"), try bool("use_sliding_window", default: true) {
      throw fail("is_causal", "unsupported value false with a sliding_window; it must be true")
    }
    let name = try string(Self.attentionStyleKey, default: (isCausal ? AttentionStyle.causal : .bidirectional).rawValue)
    guard let style = AttentionStyle(rawValue: name) else {
      let known = AttentionStyle.allCases.map(\.rawValue).joined(separator: ", ")
      throw fail(Self.attentionStyleKey, "unknown style \"\(name)\"; known are \(known)")
    }
    return style
  }

  /// The activation that a key names.
  public func activation(_ key: String) throws(ArchitectureError) -> NonlinearityName { try activation(key, named: try string(key)) }

  /// The activation that is called `name` in the value of a key.
  func activation(_ key: String, named name: String) throws(ArchitectureError) -> NonlinearityName {
    guard let known = NonlinearityName(name) else { throw fail(key, "unsupported activation \"\(name)\"") }
    return known
  }

  /// The size of one of `heads` heads that share `width` columns.
  public func headSize(of width: Int, heads: Int, _ key: String) throws(ArchitectureError) -> Int {
    guard width % heads == 0 else { throw fail(key, "\(heads) heads do not divide \(width) columns") }
    return width / heads
  }
}
