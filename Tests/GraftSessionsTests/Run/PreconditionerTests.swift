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

/// Adapters after some steps of PEFT's Riemannian and LoRA-FA optimizers; made by `Scripts/make-preconditioner-goldens.py`.
@Suite struct PreconditionerTests {
  private let file: SafetensorsFile, base: SafetensorsFile
  private let cases: JSON, described: JSON

  init() throws {
    let fixtures = Fixtures("GraftSessionsTests")
    file = try SafetensorsFile(fixtures.path("preconditioners.safetensors"))
    base = try SafetensorsFile(fixtures.path("loraplus.safetensors"))
    (cases, described) = (try fixtures.json("preconditioners.json"), try fixtures.json("loraplus.json"))
  }

  private func weights(_ prefix: String, of file: SafetensorsFile) throws -> InMemoryWeights {
    let names = file.tensorNames.filter { $0.hasPrefix(prefix) }
    return InMemoryWeights(
      name: prefix, try names.map { StoredTensor(name: String($0.dropFirst(prefix.count)), tensor: try file.tensor($0)) })
  }

  /// Trains an adapter as the script does, perhaps without its preconditioner.
  /// - Returns: the delta, and the loss before every step.
  private func run(_ name: String, without left: String? = nil) throws -> (delta: Delta, losses: [Float]) {
    let example = try #require(cases[name])
    let overrides = (example["settings"]?.object ?? [:]).filter { $0.key != left }.map { entry in
      "training.\(entry.key)=\(entry.value.string ?? String(format: "%.14f", entry.value.double ?? .nan))"
    }
    let training = try Recipe(yaml: "model: {path: m}\ndata: {train: t.jsonl}\n", file: "r.yaml", overrides: overrides).training
    let config = ArchitectureConfiguration(try #require(described["model"]), source: "config.json")
    let scope = Scope(source: try weights("base/", of: base), catalog: SiteCatalog())
    let model = try #require(try ModelFamily.build(ModelRequest(config, task: .causalLM), in: scope) as? any TrainableModel)
    let method = try MethodCatalog.decode(stored: try #require(example["adapter"]), from: name)
    let delta = try Delta(method, on: model.catalog, from: try weights("\(name)/first/", of: file))
    let rate = try #require(training.learningRate)
    let optimizer = try training.optimizer(of: delta, on: model.catalog, peak: rate)
    let examples = (described["sequences"]?.array ?? []).map { EncodedExample(tokens: ($0.array ?? []).map { Int32($0.int ?? -1) }) }
    let batch = Batch(collating: examples, objective: .nextToken)
    let losses = (example["losses"]?.array ?? []).map { _ in
      let tape = Tape()
      let loss = tape.record { model.loss(batch, Pass(), scale: 1 / Float(batch.lossTermCount)) }
      optimizer.step(tape.gradients(of: loss), learningRate: rate)
      return loss.scalar
    }
    return (delta, losses)
  }

  @Test(arguments: ["riemannian", "riemannian-sgd", "lora_fa"]) func `losses and tensors are PEFT's`(_ name: String) throws {
    let (delta, losses) = try run(name)
    let expected = (cases[name]?["losses"]?.array ?? []).map { Float($0.double ?? .nan) }
    #expect(losses.count == 5 && zip(losses, expected).allSatisfy { abs($0 - $1) < 1e-4 }, "\(losses) for \(expected)")
    let (first, last) = (try weights("\(name)/first/", of: file), try weights("\(name)/last/", of: file))
    for tensor in try delta.stored(taskType: nil).tensors {
      let (start, goal) = (try first.tensor(tensor.name), try last.tensor(tensor.name))
      let way = (goal - start).sumOfSquares
      #expect((tensor.tensor - goal).sumOfSquares <= 1e-6 * way, "\(tensor.name)")
      #expect((way == 0) == (name == "lora_fa" && tensor.name.hasSuffix("lora_A.weight")), "\(tensor.name)")
    }
  }

  @Test(arguments: ["riemannian", "riemannian-sgd", "lora_fa"]) func `without it the losses are others`(_ name: String) throws {
    let (with, without) = (try run(name).losses, try run(name, without: "preconditioner").losses)
    #expect(with[0] == without[0] && abs(with[4] - without[4]) > 1e-4)
  }

  @Test func `is for LoRA alone`() {
    #expect(throws: SessionError.self) {
      try RunSettings(
        try Recipe(
          yaml: "model: {path: m}\ndata: {train: t.jsonl}\nmethod: {peft_type: IA3}\ntraining: {preconditioner: riemannian}\n", file: "r.yaml"))
    }
  }
}
