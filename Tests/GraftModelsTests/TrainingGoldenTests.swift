import GraftBatching
import GraftJSON
import GraftLayers
import GraftModels
import GraftOptimizers
import GraftTensors
import GraftTraining
import Testing

@Suite("Every causal family learns as Transformers' Trainer makes it learn")
struct TrainingGoldenTests {
  /// Losses, norms and rates of steps with a warm-up, clipping, two micro-batches, and decay of matrices only.
  @Test(arguments: ["llama", "llama-biases", "mistral", "qwen2", "qwen2-window", "qwen3", "mamba", "mamba2", "rwkv"])
  func steps(_ name: String) throws {
    let fixture = try ModelFixture(name)
    let golden = try #require(fixture.json["training"])
    let model = try fixture.model(from: SyntheticSource(fixture))
    for parameter in model.catalog.parameters { parameter.isTrainable = true }
    func number(_ key: String) throws -> Double { try #require(golden[key]?.double) }

    let lines = try #require(golden["lines"]?.array)
    let decayed = Set((golden["decayed"]?.array ?? []).compactMap(\.string))
    let schedule = LearningRateSchedule(
      .cosine, peak: try number("rate"), warmupSteps: Int(try number("warmup")), totalSteps: lines.count)
    let optimizer = Optimizer(
      AdamW(), parameters: model.catalog.parameters, weightDecay: try number("decay"), isDecayed: { decayed.contains($0.path) })
    let trainer = Trainer(
      optimizer,
      settings: Trainer.Settings(
        schedule: schedule, maxGradientNorm: try number("clip"), loggingSteps: 1, recomputation: false, seed: 0),
      loss: model.loss)

    var logged: [TrainingLine] = []
    let examples = fixture.examples
    let plan = BatchPlanner(batchSize: 2, gradientAccumulationSteps: 2).plan(examples)
    for step in plan.steps(0..<lines.count) {
      try trainer.run(step, batch: { Batch(collating: $0.map { examples[$0] }, objective: .nextToken) }) { event in
        if case .logged(let line) = event { logged.append(line) }
      }
    }
    #expect(logged.count == lines.count)
    for (line, golden) in zip(logged, lines) {
      #expect(abs(line.loss - (golden["loss"]?.double ?? .nan)) < 3e-5, "step \(line.step)")
      #expect(abs(line.gradientNorm - (golden["norm"]?.double ?? .nan)) < 3e-4, "step \(line.step)")
      #expect(abs(line.learningRate - (golden["rate"]?.double ?? .nan)) < 1e-12, "step \(line.step)")
    }
  }
}
