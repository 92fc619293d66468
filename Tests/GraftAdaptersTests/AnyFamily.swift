import GraftBatching
import GraftLayers
import GraftModels
import GraftTestSupport
import Testing

/// A tiny model of any family that is known, a program's own included.
enum AnyFamily {
  /// The family's first task, or another.
  static func build(_ modelType: String, task: LearningTask? = nil) throws -> any Model {
    let family = try #require(ModelFamily.registry[modelType])
    let request = ModelRequest(ArchitectureConfiguration(TinyConfiguration.any(modelType), source: modelType), task: task ?? family.tasks[0])
    return try family.build(request, in: Scope(source: nil, catalog: SiteCatalog(), seed: 7))
  }
}
