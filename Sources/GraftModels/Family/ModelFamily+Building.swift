import GraftConfiguration
import GraftJSON
import GraftLayers

extension ModelFamily {
  /// Builds the model that a configuration describes.
  ///
  /// - Parameters:
  ///   - request: the configuration, and what the model is for.
  ///   - scope: the root of the construction.
  /// - Throws: `ArchitectureError` for a `model_type` that is missing or unknown, for a family that cannot do the task, and for a
  ///   configuration that contradicts itself; what the scope throws.
  public static func build(_ request: ModelRequest, in scope: Scope) throws -> any Model {
    try named(by: request.config).build(request, in: scope)
  }

  /// Builds a model of this family.
  /// - Throws: as the static function does.
  public func build(_ request: ModelRequest, in scope: Scope) throws -> any Model {
    var request = request
    request.config = try request.config.resolved(as: self)
    if let factors = request.routerLosses { request.config = try request.config.asking(for: factors) }
    scope.catalog.modelType = modelType
    scope.catalog.defaultTargets = defaultTargets
    scope.catalog.otherPaths = { [tensors] in tensors.otherPaths(of: $0) }
    if request.pairsSentences, !traits.contains(.pairsSentences) || request.task != .maskedLM {
      throw request.config.fail(
        "model_type", "unsupported next_sentence for \(modelType) and \(request.task.rawValue); it is an objective of bert beside masked_lm")
    }
    if let fixedStyle { try request.requireStyle(fixedStyle, modelType) }
    guard request.isHeadless || tasks.contains(request.task) else { throw request.unsupportedTask(modelType, supported: tasks) }
    return try builder(request, scope.calling { [tensors] in tensors.aliases(of: $0) })
  }

  /// The family that a configuration's `model_type` names.
  /// - Throws: `ArchitectureError` where none is named, or one that is not known.
  public static func named(by config: ArchitectureConfiguration) throws(ArchitectureError) -> ModelFamily {
    let type = try config.string("model_type")
    guard let family = registry[type] else { throw config.fail("model_type", "unsupported model_type \"\(type)\"; \(advice(for: type))") }
    return family
  }

  /// The family of a `config.json`; nil where it names none, or one that is not known.
  package static func named(by json: JSON) -> ModelFamily? { json["model_type"]?.string.flatMap { registry[$0] } }

  /// Advice for a `model_type` that no family has.
  private static func advice(for type: String) -> String {
    let known = registry.names.sorted()
    return NearestName.of(type, among: known).map { "did you mean \($0)?" } ?? "known are \(known.joined(separator: ", "))"
  }
}

extension Model {
  /// The model's family; nil for a model that no family has made.
  package var family: ModelFamily? { ModelFamily.registry[modelType] }
}
