import Foundation
import GraftBatching
import GraftJSON
import GraftLayers
import GraftTensors
import GraftTestSupport
import Testing

import GraftModels

/// Results of Transformers with a family's tiny checkpoint under changed keys, as `Scripts/make-configuration-goldens.py`
/// writes it.
struct ConfigurationFixture: Sendable {
  static let families = [
    "llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "granite", "phi3", "glm", "glm4", "olmo2", "gpt2", "openai-gpt", "bloom",
    "bert", "roberta", "distilbert",
    "t5", "mt5", "bart",
  ]

  let name: String
  let json: JSON

  init(_ name: String) throws {
    self.name = name
    json = try Self.read("configurations/\(name).json")
  }

  static func read(_ path: String) throws -> JSON { try Fixtures("GraftModelsTests").json(path) }

  /// A configuration with its weights and what comes out.
  struct Case: CustomStringConvertible {
    let configuration: JSON
    let source: SyntheticSource
    let outputs: [Float]
    /// The outputs of the tokens behind a prompt, one by one, of each example.
    let continued: [[Float]]
    let changes: JSON
    var description: String { changes.serialized() }
  }

  var configuration: JSON { json["config"] ?? .null }
  var task: LearningTask { json["task"]?.string.flatMap(LearningTask.init) ?? .causalLM }

  func cases() -> [Case] {
    (json["cases"]?.array ?? []).map { entry in
      var configuration = configuration
      var shapes = json["tensors"]?.object ?? [:]
      for (key, value) in entry["set"]?.object ?? [:] { configuration[key] = value }
      for key in entry["drop"]?.array ?? [] { configuration[key.string ?? ""] = nil }
      for (key, value) in entry["tensors"]?.object ?? [:] { shapes[key] = value.isNull ? nil : value }
      let copies = (entry["copies"]?.object ?? [:]).map { ($0.key, $0.value.string ?? "") }
      let tensors = shapes.map { (name: $0.key, shape: Shape(($0.value.array ?? []).compactMap(\.int))) }
      return Case(
        configuration: configuration, source: SyntheticSource(tensors, copies: Dictionary(uniqueKeysWithValues: copies)),
        outputs: entry["outputs"]?.floats ?? [],
        continued: (entry["continued"]?.array ?? []).map(\.floats), changes: entry["set"] ?? .null)
    }
  }

  /// The tensors of the family's checkpoint, unchanged.
  func source() -> SyntheticSource {
    SyntheticSource((json["tensors"]?.object ?? [:]).map { (name: $0.key, shape: Shape(($0.value.array ?? []).compactMap(\.int))) })
  }

  var examples: [EncodedExample] {
    (json["examples"]?.array ?? []).map { example in
      EncodedExample(tokens: example["tokens"]?.tokenIDs ?? [], source: example["source"]?.tokenIDs, tokenLabels: example["targets"]?.tokenIDs)
    }
  }

  func build(_ configuration: JSON, from source: SyntheticSource?, task: LearningTask? = nil, seed: UInt64 = 0) throws -> any TrainableModel {
    let scope = Scope(source: source, catalog: SiteCatalog(), seed: seed)
    let config = ArchitectureConfiguration(configuration, source: "config.json")
    return try #require(try ModelFamily.build(ModelRequest(config, task: task ?? self.task), in: scope) as? any TrainableModel)
  }

  /// The log-probabilities of the targets, all examples in one batch.
  func scores(_ model: any TrainableModel) throws -> [Float] {
    let model = try #require(model as? any LanguageModel)
    let batch = Batch(collating: examples, objective: task.objective(for: model))
    return model.predictions(batch).map(\.logProbability)
  }

  func loss(_ model: any TrainableModel, _ pass: Pass) -> Float {
    model.loss(Batch(collating: examples, objective: task.objective(for: model)), pass, scale: 1).scalar
  }
}
