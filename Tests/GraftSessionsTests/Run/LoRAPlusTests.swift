import Foundation
import GraftAdapters
import GraftBatching
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftModels
import GraftRecipes
import GraftSessions
import GraftTensors
import GraftTestSupport
import Testing

/// Adapters after some steps of PEFT's `create_loraplus_optimizer`; made by `Scripts/make-loraplus-goldens.py`.
@Suite struct LoRAPlusTests {
  private let file: SafetensorsFile, described: JSON

  init() throws {
    let fixtures = Fixtures("GraftSessionsTests")
    file = try SafetensorsFile(fixtures.path("loraplus.safetensors"))
    described = try fixtures.json("loraplus.json")
  }

  private func weights(_ prefix: String) throws -> InMemoryWeights {
    let names = file.tensorNames.filter { $0.hasPrefix(prefix) }
    return InMemoryWeights(
      name: prefix, try names.map { StoredTensor(name: String($0.dropFirst(prefix.count)), tensor: try file.tensor($0)) })
  }

  /// The recipe's training with the settings given, one `training.key` each; the learning rate with them.
  private func training(_ settings: [(key: String, value: Double)]) throws -> Recipe.Training {
    try Recipe(
      yaml: "model: {path: m}\ndata: {train: t.jsonl}\n", file: "r.yaml", overrides: settings.map { "training.\($0.key)=\($0.value)" }
    ).training
  }

  private var settings: [(key: String, value: Double)] {
    (described["settings"]?.object ?? [:]).map { ($0.key, $0.value.double ?? .nan) }
  }

  /// Trains an adapter as the script does.
  /// - Returns: the loss before every step, and how far each tensor ends from PEFT's, as a part of the way that PEFT's has gone.
  private func run(_ name: String, _ training: Recipe.Training) throws -> (losses: [Float], distances: [(key: String, distance: Double)]) {
    let config = ArchitectureConfiguration(try #require(described["model"]), source: "config.json")
    let first = try weights("\(name)/first/")
    let scope = Scope(source: try weights("base/"), catalog: SiteCatalog())
    let model = try #require(try ModelFamily.build(ModelRequest(config, task: .causalLM), in: scope) as? any TrainableModel)
    let method = try MethodCatalog.decode(stored: try #require(described["cases"]?[name]?["adapter"]), from: name)
    let delta = try Delta(method, on: model.catalog, from: first)
    let rate = try #require(training.learningRate)
    let optimizer = try training.optimizer(of: delta, on: model.catalog, peak: rate)
    let examples = (described["sequences"]?.array ?? []).map { EncodedExample(tokens: ($0.array ?? []).map { Int32($0.int ?? -1) }) }
    let batch = Batch(collating: examples, objective: .nextToken)
    let losses = (described["cases"]?[name]?["losses"]?.array ?? []).map { _ in
      let tape = Tape()
      let loss = tape.record { model.loss(batch, Pass(), scale: 1 / Float(batch.lossTermCount)) }
      optimizer.step(tape.gradients(of: loss), learningRate: rate)
      return loss.scalar
    }
    let last = try weights("\(name)/last/")
    #expect(Set(last.tensorNames) == Set(delta.parameters.map(\.key)))
    return (
      losses,
      try delta.parameters.map { key, parameter in
        let goal = try last.tensor(key)
        let way = goal - (try first.tensor(key))
        return (key, ((parameter.value - goal).sumOfSquares / way.sumOfSquares).squareRoot())
      }
    )
  }

  @Test(arguments: ["embedding", "dora"]) func `losses and tensors are PEFT's`(_ name: String) throws {
    let (losses, distances) = try run(name, training(settings))
    let expected = described["cases"]?[name]?["losses"]?.array ?? []
    #expect(losses.count == expected.count && losses.count > 1)
    for (loss, reference) in zip(losses, expected) { #expect(abs(loss - Float(reference.double ?? .nan)) < 1e-5) }
    for (key, distance) in distances { #expect(distance < 1e-4, "\(key)") }
  }

  @Test(arguments: [
    ("embedding", "loraplus_lr_ratio"), ("embedding", "loraplus_lr_embedding"), ("embedding", "weight_decay"), ("dora", "loraplus_lr_ratio"),
  ]) func `every setting counts`(_ name: String, _ key: String) throws {
    let others = settings.map { $0.key == key ? (key: key, value: 1.5 * $0.value) : $0 }
    let distances = try run(name, training(others)).distances
    #expect(distances.contains { $0.distance > 1e-2 })
  }
}
