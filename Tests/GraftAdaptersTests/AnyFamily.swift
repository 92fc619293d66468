import GraftBatching
import GraftJSON
import GraftLayers
import GraftModels
import Testing

/// A tiny model of any family that is known, a program's own included: no family reads a key that it does not have.
enum AnyFamily {
  static let configuration: JSON = [
    "vocab_size": 23,
    "hidden_size": 12, "n_embd": 12, "d_model": 12, "dim": 12,
    "intermediate_size": 20, "hidden_dim": 20, "d_ff": 20, "encoder_ffn_dim": 20, "decoder_ffn_dim": 20,
    "num_hidden_layers": 2, "n_layer": 2, "n_layers": 2, "num_layers": 2, "encoder_layers": 2, "decoder_layers": 2,
    "num_attention_heads": 2, "n_head": 2, "n_heads": 2, "num_heads": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
    "num_key_value_heads": 1, "d_kv": 6,
  ]

  /// What some families need besides, since the sizes of their heads make up others.
  private static let own: [String: JSON] = ["mamba2": ["head_dim": 12, "n_groups": 1], "rwkv7": ["head_dim": 6]]

  /// The family's first task, or another.
  static func build(_ modelType: String, task: LearningTask? = nil) throws -> any Model {
    let family = try #require(ModelFamily.registry[modelType])
    var configuration = configuration
    configuration["model_type"] = .string(modelType)
    for (key, value) in own[modelType]?.object ?? [:] { configuration[key] = value }
    let request = ModelRequest(ArchitectureConfiguration(configuration, source: modelType), task: task ?? family.tasks[0])
    return try family.build(request, in: Scope(source: nil, catalog: SiteCatalog(), seed: 7))
  }
}
