import GraftAdapters
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftTensors
import GraftTestSupport
import Testing

/// VB-LoRA beyond what every method does: choices stored in place of logits.
@Suite struct VectorBankTests {
  private func method(_ keys: String = "") throws -> any TuningMethod {
    let json = #"{"peft_type": "VBLORA", "r": 2, "num_vectors": 6, "vector_length": 4, "topk": 3, "target_modules": ["q_proj"]\#(keys)}"#
    return try MethodCatalog.decode(stored: JSON(parsing: json), from: "test")
  }

  @Test func `choices in place of logits compute the same and are stored as they were read`() throws {
    let model = try makeTinyModel()
    let delta = try Delta(method(#", "save_only_topk_weights": true"#), on: model.catalog)
    randomize(delta.parameters.map(\.parameter), deviation: 0.5)
    let states = model.states()
    let unfinished = try delta.stored(taskType: nil, isFinished: false)
    #expect(unfinished.tensors.contains { $0.name.hasSuffix("q_proj.vblora_logits_A") })
    let stored = try delta.stored(taskType: nil)
    let key = "base_model.model.model.layers.0.self_attn.q_proj.vblora_logits_A"
    let indices = try #require(stored.tensors.first { $0.name == key + "_topk_indices" }).tensor
    let weights = try #require(stored.tensors.first { $0.name == key + "_topk_weights" }).tensor
    #expect(indices.dtype == .uint8 && indices.shape == [2, 4, 3] && weights.shape == [2, 4, 2])
    #expect(!stored.tensors.contains { $0.name == key } && stored.tensors.count == 2 * 4 + 1)

    let other = try makeTinyModel()
    let again = try Delta(delta.method, on: other.catalog, from: stored.weights(from: "stored"))
    #expect(largestDifference(other.states(), states) < 1e-5)
    #expect(again.parameters.map(\.key) == ["base_model.vblora_vector_bank"])
    let twice = try again.stored(taskType: nil)
    for tensor in stored.tensors {
      let same = try #require(twice.tensors.first { $0.name == tensor.name }, "\(tensor.name)").tensor
      #expect(same.dtype == tensor.tensor.dtype && same.converted(to: .float32).values == tensor.tensor.converted(to: .float32).values)
    }
    #expect(throws: TuningError.self) { try again.schedule?.prepare(stepCount: 3) }
    try delta.schedule?.prepare(stepCount: 3)
    try again.merge()
    #expect(largestDifference(other.states(), states) < 2e-5)
  }

  @Test func `all targets share one bank, and only chosen vectors are trained`() throws {
    let model = try makeTinyModel()
    let delta = try Delta(method(), on: model.catalog)
    randomize(delta.parameters.map(\.parameter), deviation: 0.5)
    #expect(delta.parameters.count { $0.key.contains("vector_bank") } == 1)
    let gradients = model.differentiate().gradients
    for (key, parameter) in delta.parameters where key.contains("logits") {
      let values = try #require(gradients[parameter]).values
      let rows = stride(from: 0, to: values.count, by: 6).map { values[$0..<$0 + 6] }
      #expect(rows.allSatisfy { row in row.count { $0 != 0 } <= 3 && abs(row.reduce(0, +)) < 1e-5 }, "\(key)")
      #expect(values.contains { $0 != 0 })
    }
  }
}
