import GraftAdapters
import GraftBatching
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftModels
import GraftOptimizers
import GraftTensors
import GraftTestSupport
import Testing

/// AdaLoRA's training, step by step against PEFT's.
@Suite struct AdaLoRABudgetTests {
  private static let sequence: [Int32] = [3, 17, 5, 31, 8, 2, 26]

  private final class Run {
    let model: CausalDecoder, delta: Delta, optimizer: Optimizer
    let schedule: any TrainingSchedule

    init(_ adapter: StoredAdapter) throws {
      model = try LlamaFixture.makeBase()
      let method = try MethodCatalog.decode(stored: adapter.configuration, from: adapter.name)
      delta = try Delta(method, on: model.catalog, from: adapter.weights(from: adapter.name))
      optimizer = Optimizer(AdamW(), parameters: delta.parameters.map(\.parameter))
      schedule = try #require(delta.schedule)
      try schedule.prepare(stepCount: 30)
    }

    /// - Returns: the loss before the update, the penalty included.
    func step(_ number: Int) -> Float {
      let input = SequenceInput([sequence])
      let targets = Array(sequence.dropFirst())
      let tape = Tape()
      let loss = tape.record {
        let hidden = model.hiddenStates(input, Pass(isTraining: true)).rows(0..<targets.count)
        let loss = crossEntropy(model.head.logits(hidden, .inference), targets: Tensor(targets), scale: 1 / Float(targets.count))
        return schedule.penalty().map { loss + $0 } ?? loss
      }
      let gradients = tape.gradients(of: loss)
      optimizer.step(gradients, learningRate: 1e-2)
      schedule.updated(step: number, gradients: gradients, gradientScale: 1)
      return loss.scalar
    }

    /// Every singular value.
    var values: [Float] {
      delta.parameters.filter { $0.key.hasSuffix("lora_E") }.sorted { $0.key < $1.key }.flatMap(\.parameter.value.values)
    }
  }

  @Test func `losses, singular values and what is saved are PEFT's at every step`() throws {
    let fixture = try LlamaFixture("adalora")
    let run = try Run(try fixture.adapter("start"))
    let losses = try fixture.file.tensor("losses").values
    let values = try fixture.file.tensor("values")
    // PEFT goes through the layers in their order: q_proj, v_proj, down_proj of each.
    let modules = (0..<2).flatMap { layer in ["self_attn.q_proj", "self_attn.v_proj", "mlp.down_proj"].map { "layers.\(layer).\($0)" } }
    for step in 1...30 {
      let loss = run.step(step)
      #expect(abs(loss - losses[step - 1]) < 2e-5 * losses[step - 1], "step \(step)")
      let found = modules.flatMap { module in
        run.delta.parameters.first { $0.key.contains("\(module).lora_E") }?.parameter.value.values ?? []
      }
      #expect(largestDifference(found, values.rows(step - 1..<step).values) < 1e-4, "step \(step)")
    }

    let stored = try run.delta.stored(taskType: "CAUSAL_LM")
    let expected = try fixture.adapter("end")
    #expect(stored.configuration["rank_pattern"]?.object?.count == 6)
    for (key, kept) in try #require(expected.configuration["rank_pattern"]?.object) {
      #expect(stored.configuration["rank_pattern"]?[key] == kept, "\(key)")
    }
    #expect(stored.configuration["total_step"]?.int == 30)
    #expect(Set(stored.tensors.map(\.name)) == Set(expected.tensors.map(\.name)))
    for tensor in expected.tensors {
      let own = try #require(stored.tensors.first { $0.name == tensor.name }).tensor
      #expect(own.shape == tensor.tensor.shape, "\(tensor.name)")
      // A layer may have lost all of its triplets.
      #expect(own.values.isEmpty || largestDifference(own.values, tensor.tensor.values) < 1e-3, "\(tensor.name)")
    }
  }

  @Test func `what is saved computes what was trained`() throws {
    let fixture = try LlamaFixture("adalora")
    let run = try Run(try fixture.adapter("start"))
    for step in 1...30 { _ = run.step(step) }
    let stored = try run.delta.stored(taskType: nil)
    let model = try LlamaFixture.makeBase()
    let method = try MethodCatalog.decode(stored: stored.configuration, from: "end")
    let again = try Delta(method, on: model.catalog, from: stored.weights(from: "end"))
    #expect(largestDifference(model.states(), run.model.states()) < 1e-6)
    #expect(again.schedule == nil)
    #expect(try again.stored(taskType: nil).contentSHA256 == stored.contentSHA256)
  }

  @Test func `goes on from a checkpoint as if it had not stopped`() throws {
    let fixture = try LlamaFixture("adalora")
    let whole = try Run(try fixture.adapter("start"))
    let first = try Run(try fixture.adapter("start"))
    for step in 1...17 {
      _ = whole.step(step)
      _ = first.step(step)
    }
    var kept = try first.delta.stored(taskType: nil, isFinished: false)
    kept.configuration = try #require(fixture.configurations["start"])
    let second = try Run(kept)
    let state = first.schedule.state
    let moments = first.optimizer.stateTensors
    try second.schedule.restore { name in try #require(state.first { $0.name == name }).tensor }
    try second.optimizer.restore(stepCount: 17) { name in try #require(moments.first { $0.name == name }).tensor }
    for step in 18...30 { #expect(whole.step(step) == second.step(step)) }
    #expect(whole.values == second.values)
  }

  @Test func `a schedule without room to spend less is refused`() throws {
    var adapter = try LlamaFixture("adalora").adapter("start")
    adapter.configuration["tinit"] = 25
    #expect(throws: TuningError.self) { try Run(adapter) }
    adapter.configuration["tinit"] = 3
    adapter.configuration["target_r"] = 5
    #expect(throws: TuningError.self) { try Run(adapter) }
  }
}
