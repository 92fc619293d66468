import Foundation
import GraftJSON
import Testing

/// A checkpoint that does not fit its configuration is one line that names the tensor.
@Suite struct BadModelTests {
  private struct Family: CustomTestStringConvertible {
    let configuration: String, task: String, data: String
    /// A tensor, and a key of the configuration that its shape contradicts.
    let tensor: String, key: String
    var testDescription: String { tensor }
  }

  private static let families = [
    Family(
      configuration: "model_type: gpt2, vocab_size: 1024, n_embd: 16, n_layer: 1, n_head: 2, n_positions: 64", task: "causal_lm",
      data: #"{"prompt": "one two", "completion": " three"}"#, tensor: "transformer.h.0.mlp.c_fc.weight", key: "n_inner"),
    Family(
      configuration: "model_type: bert, vocab_size: 1024, hidden_size: 16, intermediate_size: 24, num_hidden_layers: 1, num_attention_heads: 2",
      task: "sequence_classification", data: #"{"text": "one two", "label": "a"}"# + "\n" + #"{"text": "two", "label": "b"}"#,
      tensor: "bert.encoder.layer.0.intermediate.dense.weight", key: "intermediate_size"),
    Family(
      configuration: "model_type: t5, vocab_size: 1024, d_model: 16, d_kv: 8, d_ff: 24, num_layers: 1, num_heads: 2", task: "seq2seq_lm",
      data: #"{"source": "one two", "target": "three"}"#, tensor: "encoder.block.0.layer.1.DenseReluDense.wi.weight", key: "d_ff"),
  ]

  @Test(arguments: families)
  private func oneLineNamesTheTensor(_ family: Family) throws {
    let folder = try Graft.scratch()
    let data = folder.appending(path: "data.jsonl")
    let recipe = folder.appending(path: "r.yaml")
    try Data((family.data + "\n").utf8).write(to: data)
    let text = """
      model: {tokenizer: Data/models/seedling, config: {\(family.configuration)}}
      task: \(family.task)
      method: {peft_type: FULL}
      data: {train: \(data.path), max_length: 32}
      training: {max_steps: 1}
      """
    try Data(text.utf8).write(to: recipe)
    let run = folder.appending(path: "run")
    let trained = try Graft.run("train", recipe.path, "--output", run.path, "--quiet")
    try #require(trained.code == 0, "\(trained.errors)")
    let model = run.appending(path: "model")
    let config = model.appending(path: "config.json")
    let weights = model.appending(path: "model.safetensors")
    let configuration = try JSON(parsing: Data(contentsOf: config))
    let bytes = try Data(contentsOf: weights)

    func expectComplaint(_ words: String...) throws {
      let result = try Graft.run("eval", "--model", model.path, "--data", data.path, "--task", family.task)
      #expect(result.code == 65, "\(result.errors)")
      #expect(result.errors.split(separator: "\n").count == 1 && result.complaint.hasPrefix("error: "), "\(result.errors)")
      for word in words { #expect(result.complaint.contains(word), "\(result.complaint)") }
    }
    func write(_ key: String, _ value: JSON) throws {
      var changed = configuration
      changed[key] = value
      try Data(changed.serialized().utf8).write(to: config)
    }

    let type = try #require(configuration["model_type"]?.string)
    try write("model_type", .string(type + "x"))
    try expectComplaint("config.json: model_type: unsupported model_type \"\(type)x\"; did you mean \(type)?")
    try write(family.key, 40)
    try expectComplaint(family.tensor + " has shape", "the configuration implies", "40")
    try write(family.key, "many")
    try expectComplaint("config.json: \(family.key): ")

    try write("model_type", .string(type))
    var renamed = bytes
    let name = Data(family.tensor.utf8)
    let place = try #require(bytes.range(of: name))
    renamed.replaceSubrange(place, with: Data(String(repeating: "x", count: name.count).utf8))
    try renamed.write(to: weights)
    try expectComplaint("no tensor " + family.tensor)
  }
}
