import Foundation
import GraftJSON
import Testing

/// Runs are predicted and measured in processes of their own.
@Suite struct EstimateTests {
  private let folder: URL

  init() throws { folder = try Graft.scratch() }

  private func recipe(
    _ method: String, model: String = "", data: String = "packing: false", _ training: String
  ) throws -> String {
    try folder.write(
      """
      model: {path: Data/models/seedling\(model)}
      method: \(method)
      data: {train: Data/instructions/train.jsonl, max_length: 128, \(data)}
      training: {max_steps: 4, learning_rate: 1.0e-4, \(training)}
      report: {html: false, tensorboard: false}
      """, "\(UUID().uuidString).yaml")
  }

  private func json(_ arguments: String...) throws -> JSON {
    let result = try Graft.run(arguments + ["--json", "--quiet"])
    try #require(result.code == 0, "\(result.errors)")
    return try JSON(parsing: result.output)
  }

  private static let lora = "{peft_type: LORA, r: 16, target_modules: all-linear}"

  private static let cases: [(method: String, model: String, data: String, training: String)] = [
    (lora, "", "packing: false", "batch_size: 64"), (lora, "", "packing: true", "batch_size: 16"),
    (lora, "", "packing: false", "batch_size: 64, precision: bf16"), (lora, "", "packing: false", "batch_size: 64, precision: fp16"),
    (lora, ", quantization: nf4", "packing: false", "batch_size: 64"), (lora, ", quantization: int8", "packing: false", "batch_size: 64"),
    (lora, "", "packing: false", "batch_size: 64, gradient_checkpointing: true"),
    (lora, "", "packing: false, eval: Data/instructions/eval.jsonl", "batch_size: 8"),
    ("{peft_type: FULL}", "", "packing: false", "batch_size: 32"),
    ("{peft_type: FULL}", "", "packing: false", "batch_size: 32, precision: bf16, gradient_accumulation_steps: 2"),
    ("{peft_type: IA3}", "", "packing: false", "batch_size: 64"),
    ("{peft_type: PREFIX_TUNING, num_virtual_tokens: 20}", "", "packing: false", "batch_size: 32"),
  ]

  @Test(arguments: cases.indices) func peakMemoryIsWithinATenthOfWhatIsMeasured(index: Int) throws {
    let (method, model, data, training) = Self.cases[index]
    let recipe = try recipe(method, model: model, data: data, training)
    let estimate = try json("estimate", recipe)
    let summary = try json("train", recipe, "--output", folder.appending(path: UUID().uuidString).path)
    let (predicted, measured) = try (#require(estimate["peak_memory_bytes"]?.double), #require(summary["peak_memory_bytes"]?.double))
    #expect(
      abs(predicted / measured - 1) < 0.1, "\(method) \(model) \(data) \(training): \(predicted / 1e6) MB predicted, \(measured / 1e6) MB measured")
    #expect(estimate["trainable_parameters"]?.int == summary["trainable_parameters"]?.int && estimate["fits"]?.bool == true)
    // Other tests take time at the same time.
    #expect(try #require(estimate["step_seconds"]?.double) > 0)
  }

  @Test func partsMakeUpThePeak() throws {
    let estimate = try json("estimate", recipe("{peft_type: FULL}", "batch_size: 16"))
    func part(_ name: String) throws -> Double { try #require(estimate["memory_bytes"]?[name]?.double) }
    // Float32 weights, gradients and two moments of every weight; buffers are up to a quarter larger.
    let weights = try 4 * Double(#require(estimate["trainable_parameters"]?.int))
    #expect(try part("trained") == weights && part("gradients") == weights)
    #expect(try part("optimizer") >= 2 * weights && part("optimizer") < 2.5 * weights)
    let lasting = try part("weights") + part("trained") + part("optimizer") + part("rest")
    let passing = try max(part("gradients") + part("activations"), part("evaluation"))
    #expect(try abs(lasting + passing - #require(estimate["peak_memory_bytes"]?.double)) < 16)
  }

  @Test func alternativesTakeLess() throws {
    let estimate = try json("estimate", recipe("{peft_type: LORA, r: 16}", "batch_size: 64"))
    let peak = try #require(estimate["peak_memory_bytes"]?.double)
    let alternatives = try #require(estimate["alternatives"]?.array)
    let changes = alternatives.compactMap { $0["change"]?.string }
    #expect(changes.contains("training.precision: bf16") && changes.contains("training.gradient_checkpointing: true"), "\(changes)")
    #expect(changes.contains("training.batch_size: 1 with training.gradient_accumulation_steps: 64") && changes.last == "all of these", "\(changes)")
    for alternative in alternatives {
      #expect(try #require(alternative["peak_memory_bytes"]?.double) < peak && alternative["step_seconds"]?.double != nil, "\(alternative)")
    }
  }

  @Test func aRunThatDoesNotFitIsRefusedUnlessToldOtherwise() throws {
    let text = """
      model:
        tokenizer: Data/models/seedling
        config: {model_type: llama, vocab_size: 1024, hidden_size: 2048, intermediate_size: 8192, num_hidden_layers: 64, num_attention_heads: 16}
      method: {peft_type: LORA, r: 8}
      data: {train: Data/instructions/train.jsonl, max_length: 128, packing: false}
      training: {max_steps: 1, batch_size: 4}
      """
    let recipe = try folder.write(text, "large.yaml")
    let output = folder.appending(path: "run").path
    // 17 GB of weights in 6 GB of addresses.
    let start = ContinuousClock.now
    let refused = try Graft.Result(running: Graft.process(["train", recipe, "--output", output], setUp: "ulimit -v 6000000"))
    #expect(refused.code == 71 && refused.errors.contains("--ignore-memory") && refused.errors.contains("available"), "\(refused.errors)")
    #expect(ContinuousClock.now - start < .seconds(20) && !FileManager.default.fileExists(atPath: output))
  }

  @Test func aRankThatNoMemoryHoldsIsRefusedWithWhatWouldFit() throws {
    let recipe = try recipe("{peft_type: LORA, r: 100000, target_modules: all-linear}", "batch_size: 4")
    let output = folder.appending(path: "run").path
    let refused = try Graft.Result(running: Graft.process(["train", recipe, "--output", output], setUp: "ulimit -v 8000000"))
    #expect(refused.code == 71 && refused.errors.contains("method.r"), "\(refused.errors)")
    #expect(!FileManager.default.fileExists(atPath: output))
  }

  @Test func aDryRunShowsTheRunAndWritesNothing() throws {
    let recipe = try recipe("{peft_type: LORA, r: 3, target_modules: [q_proj]}", "batch_size: 4")
    let output = folder.appending(path: "dry").path
    let result = try Graft.run("train", recipe, "--dry-run", "--output", output)
    #expect(result.code == 0, "\(result.errors)")
    for part in ["r: 3", "modules matched:", "q_proj", "rank 3", "example 3:", "⟦", "of resident memory", "a step"] {
      #expect(result.output.contains(part), "\(part)")
    }
    #expect(!FileManager.default.fileExists(atPath: output))
  }

  @Test func trainingBeginsWithItsMemory() throws {
    let result = try Graft.run("train", recipe(Self.lora, "batch_size: 4"), "--output", folder.appending(path: "run").path)
    #expect(result.code == 0 && result.errors.contains("of resident memory") && result.errors.contains("activations"), "\(result.errors)")
  }
}
