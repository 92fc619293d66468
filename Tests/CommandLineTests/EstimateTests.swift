import Foundation
import GraftJSON
import Testing

@Suite struct EstimateTests {
  private let folder: URL

  init() throws { folder = try Graft.scratch() }

  private func recipe(_ method: String, _ training: String) throws -> String {
    try folder.write(
      """
      model: {path: Data/models/seedling}
      method: \(method)
      data: {train: Data/instructions/train.jsonl, max_length: 128}
      training: {max_steps: 4, learning_rate: 1.0e-4, \(training)}
      report: {html: false, tensorboard: false}
      """, "\(UUID().uuidString).yaml")
  }

  private func json(_ arguments: String...) throws -> JSON {
    let result = try Graft.run(arguments + ["--json", "--quiet"])
    try #require(result.code == 0, "\(result.errors)")
    return try JSON(parsing: result.output)
  }

  @Test(arguments: [
    ("{peft_type: LORA, r: 16, target_modules: all-linear}", "batch_size: 32"),
    ("{peft_type: LORA, r: 16, target_modules: all-linear}", "batch_size: 32, precision: bf16"),
    ("{peft_type: LORA, r: 16, target_modules: all-linear}", "batch_size: 32, gradient_checkpointing: true"),
    ("{peft_type: FULL}", "batch_size: 16"),
    ("{peft_type: FULL}", "batch_size: 16, precision: bf16, gradient_accumulation_steps: 2"),
    ("{peft_type: IA3}", "batch_size: 16"),
  ])
  func peakMemoryIsWithinATenthOfWhatIsMeasured(method: String, training: String) throws {
    let recipe = try recipe(method, training)
    let estimate = try json("estimate", recipe)
    let summary = try json("train", recipe, "--output", folder.appending(path: UUID().uuidString).path)
    let (predicted, measured) = try (#require(estimate["peak_memory_bytes"]?.double), #require(summary["peak_memory_bytes"]?.double))
    #expect(abs(predicted / measured - 1) < 0.1, "\(predicted / 1e6) MB predicted, \(measured / 1e6) MB measured")
    #expect(estimate["trainable_parameters"]?.int == summary["trainable_parameters"]?.int && estimate["fits"]?.bool == true)
    let parts = try #require(estimate["memory_bytes"]?.object).reduce(0.0) { $0 + ($1.value.double ?? .nan) }
    #expect(abs(parts - predicted) < 16)
  }

  @Test func alternativesTakeLess() throws {
    let estimate = try json("estimate", recipe("{peft_type: LORA, r: 16}", "batch_size: 64"))
    let peak = try #require(estimate["peak_memory_bytes"]?.double)
    let alternatives = try #require(estimate["alternatives"]?.array)
    #expect(alternatives.count == 3)
    for alternative in alternatives { #expect(try #require(alternative["peak_memory_bytes"]?.double) < 0.9 * peak, "\(alternative)") }
  }

  @Test func aRunThatDoesNotFitIsRefusedUnlessToldOtherwise() throws {
    let recipe = try recipe("{peft_type: LORA, r: 16}", "batch_size: 512, gradient_accumulation_steps: 1")
    let output = folder.appending(path: "run").path
    func train(_ options: String...) throws -> Graft.Result {
      try Graft.Result(running: Graft.process(["train", recipe, "--output", output] + options, setUp: "ulimit -v 2500000"))
    }
    let refused = try train()
    #expect(refused.code == 71 && refused.errors.contains("--ignore-memory") && refused.errors.contains("available"), "\(refused.errors)")
    #expect(!FileManager.default.fileExists(atPath: output + "/metrics.jsonl"))
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
}
