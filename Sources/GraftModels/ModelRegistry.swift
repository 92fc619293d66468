import GraftConfiguration
import GraftLayers

/// The families we build, by the `model_type` of their configurations.
public enum ModelRegistry {
  /// How a family is built from its configuration in a scope.
  public typealias Builder = @Sendable (ArchitectureConfiguration, AttentionStyle, Scope) throws -> any Model

  /// One line a family.
  static let builders: [String: Builder] = [
    "llama": { try Llama($0, modelType: "llama", style: $1, in: $2) },
    "mistral": { try Llama($0, modelType: "mistral", style: $1, in: $2) },
    "qwen2": { try Llama($0, modelType: "qwen2", style: $1, in: $2) },
    "qwen3": { try Llama($0, modelType: "qwen3", style: $1, in: $2) },
  ]

  /// The other names under which a checkpoint may hold a path: with and without the base model's prefix.
  public static func aliases(of path: String) -> [String] {
    path.hasPrefix("model.") ? [String(path.dropFirst("model.".count))] : ["model." + path]
  }

  public static var knownTypes: [String] { builders.keys.sorted() }

  /// Builds the model that a configuration describes.
  /// - Throws: `ArchitectureError` for a `model_type` that is missing or not one of `knownTypes`, and what the family throws.
  public static func build(_ config: ArchitectureConfiguration, style: AttentionStyle = .causal, in scope: Scope) throws -> any Model {
    let type = try config.string("model_type")
    guard let builder = builders[type] else {
      let advice = NearestName.of(type, among: knownTypes).map { "did you mean \($0)?" } ?? "known are \(knownTypes.joined(separator: ", "))"
      throw config.fail("model_type", "unsupported model_type \"\(type)\"; \(advice)")
    }
    return try builder(config, style, scope)
  }
}
