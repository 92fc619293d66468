import Foundation
import GraftCheckpoints
import GraftJSON
import GraftRecipes
import GraftSessions
import GraftTensors
import GraftTestSupport
import GraftTraining
import Testing

/// Runs of preferences in this process, of a model so small that its steps are known.
@Suite struct PreferenceRunTests {
  private let folder: TemporaryDirectory

  init() throws {
    folder = try TemporaryDirectory()
    let pairs = (0..<6).map { #"{"prompt": "ask \#($0)", "chosen": " yes \#($0 * 7)", "rejected": " no, never \#($0)"}"# }
    try folder.write((pairs.joined(separator: "\n") + "\n").utf8, to: "pairs.jsonl")
    let equal = (0..<4).map { #"{"prompt": "ask \#($0)", "chosen": " the same", "rejected": " the same"}"# }
    try folder.write((equal.joined(separator: "\n") + "\n").utf8, to: "equal.jsonl")
    let judged = (0..<6).map { #"{"prompt": "ask \#($0)", "completion": " an answer \#($0 % 4)", "label": \#($0 % 2 == 0)}"# }
    try folder.write((judged.joined(separator: "\n") + "\n").utf8, to: "judged.jsonl")
  }

  private struct Outcome {
    var lines: [TrainingLine] = []
    var evaluations: [[String: Double]] = []
    var isInterrupted = false
    var trained: [String: [Float]] = [:]
  }

  private func recipe(
    _ preference: String, data: String = "pairs", method: String = "LORA, r: 2, lora_alpha: 8, target_modules: all-linear", training: String
  ) throws -> Recipe {
    try Recipe(
      yaml: """
        model:
          tokenizer: \(Repository.root.path)/Data/models/seedling
          config: {model_type: llama, vocab_size: 1024, hidden_size: 8, intermediate_size: 12, num_hidden_layers: 2,
                   num_attention_heads: 2, num_key_value_heads: 1, initializer_range: 0.3}
        task: preference
        preference: {\(preference)}
        method: {peft_type: \(method)}
        data: {train: \(folder.path)/\(data).jsonl, eval: \(folder.path)/\(data).jsonl, packing: false, shuffle: false}
        training: {logging_steps: 1, lr_scheduler: constant, \(training)}
        report: {html: false, tensorboard: false}
        """, file: "preference.yaml")
  }

  private func run(_ recipe: Recipe, _ name: String, use: UsedOutput = .refused, stoppingAt last: Int = .max) throws -> Outcome {
    var outcome = Outcome()
    let finished = try TrainingRun(recipe, output: folder.file(name), use: use).run(isInterrupted: { outcome.lines.count >= last }) { event in
      switch event {
      case .training(.logged(let line)): outcome.lines.append(line)
      case .evaluated(_, let values): outcome.evaluations.append(Dictionary(values.map { ($0.name, $0.value) }) { first, _ in first })
      default: break
      }
    }
    outcome.isInterrupted = finished.isInterrupted
    guard !finished.isInterrupted, recipe.peftType != "FULL" else { return outcome }
    for tensor in try AdapterFile.read(folder.file(name) + "/adapter.h5").adapter().tensors {
      outcome.trained[tensor.name] = tensor.tensor.converted(to: .float32).values
    }
    return outcome
  }

  private func figure(_ line: TrainingLine, _ name: String) -> Double { line.auxiliaryLosses.first { $0.name == name }?.value ?? .nan }

  /// Before the first step nothing differs from the reference, whatever is trained; then the better answers are preferred.
  @Test(arguments: ["LORA, r: 2, lora_alpha: 8, target_modules: all-linear", "FULL", "IA3"])
  func aRunBeginsAtItsReferenceAndLeavesIt(_ method: String) throws {
    let rate = method == "FULL" ? "3.0e-3" : "0.05"
    let outcome = try run(recipe("beta: 0.5", method: method, training: "max_steps: 20, batch_size: 6, learning_rate: \(rate)"), "run")
    let first = try #require(outcome.lines.first)
    #expect(abs(first.loss - log(2)) < 1e-5 && abs(figure(first, "rewards/chosen")) < 1e-5 && abs(figure(first, "kl")) < 1e-5)
    #expect(first.gradientNorm > 1e-3)
    let (before, after) = (try #require(outcome.evaluations.first), try #require(outcome.evaluations.last))
    #expect(abs((before["eval_loss"] ?? 0) - log(2)) < 1e-5)
    #expect((after["eval_loss"] ?? 1) < 0.68 && (after["eval_rewards/accuracies"] ?? 0) > 0.6 && (after["eval_rewards/margins"] ?? 0) > 0.02)
  }

  @Test func equalAnswersTeachNothing() throws {
    let outcome = try run(recipe("beta: 0.5", data: "equal", training: "max_steps: 3, batch_size: 4, optimizer: sgd, learning_rate: 1.0e-3"), "equal")
    #expect(outcome.lines.allSatisfy { abs($0.loss - log(2)) < 1e-6 && $0.gradientNorm < 1e-5 })
  }

  /// The reference is the base, not the weights that a run goes on from.
  @Test(arguments: ["loss: dpo, sft_weight: 0.2", "loss: kto", "loss: orpo"]) func aRunGoesOnToTheBit(_ preference: String) throws {
    let recipe = try recipe(
      preference, data: preference.contains("kto") ? "judged" : "pairs",
      training: "max_steps: 6, batch_size: 2, learning_rate: 0.02, save_steps: 3")
    let whole = try run(recipe, "whole")
    let part = try run(recipe, "part", stoppingAt: 3)
    #expect(part.isInterrupted && part.lines.count == 3)
    let rest = try run(recipe, "part", use: .resumed)
    #expect(rest.trained == whole.trained && !whole.trained.isEmpty)
    for (found, expected) in zip(part.lines + rest.lines, whole.lines) {
      #expect(found.loss == expected.loss && found.auxiliaryLosses == expected.auxiliaryLosses)
    }
    #expect(rest.evaluations.last == whole.evaluations.last)
  }

  /// A mean over pairs, however they are laid into micro-batches, packed rows and recomputed blocks.
  @Test func theArrangementChangesNothing() throws {
    let keys = "max_steps: 2, optimizer: sgd, learning_rate: 0.1"
    let whole = try run(recipe("loss: hinge", training: "\(keys), batch_size: 6"), "whole")
    for (index, other) in ["batch_size: 2, gradient_accumulation_steps: 3", "batch_size: 6, gradient_checkpointing: true"].enumerated() {
      let parts = try run(recipe("loss: hinge", training: "\(keys), \(other)"), "parts\(index)")
      for (found, expected) in zip(parts.lines, whole.lines) {
        #expect(abs(found.loss - expected.loss) < 1e-5 && abs(found.gradientNorm - expected.gradientNorm) < 1e-4 * expected.gradientNorm)
      }
    }
    var packed = try recipe("loss: hinge", training: "\(keys), batch_size: 6")
    packed.data.packing = true
    packed.data.maxLength = 64
    #expect(try abs(run(packed, "packed").lines[0].loss - whole.lines[0].loss) < 1e-5)
  }

  /// Half of every weight, as nothing differs from the reference; an answer that is good is then rewarded.
  @Test func answersAreJudgedAlone() throws {
    let recipe = try recipe(
      "loss: kto, beta: 0.5, desirable_weight: 2", data: "judged", training: "max_steps: 25, batch_size: 6, learning_rate: 0.05")
    let outcome = try run(recipe, "kto")
    #expect(abs(outcome.lines[0].loss - 0.75) < 1e-5 && abs(figure(outcome.lines[0], "kl")) < 1e-5)
    let after = try #require(outcome.evaluations.last)
    #expect((after["eval_rewards/margins"] ?? 0) > 0.01 && (after["eval_loss"] ?? 1) < 0.745)
  }

  /// A run that continues an adapter has the base with that adapter for its reference, also where it goes on.
  @Test func aContinuedAdapterIsItsOwnReference() throws {
    _ = try run(recipe("beta: 0.5", training: "max_steps: 4, batch_size: 6, learning_rate: 0.05"), "first")
    let method = "LORA, r: 2, lora_alpha: 8, target_modules: all-linear, init_from: \(folder.path)/first"
    let recipe = try recipe("beta: 0.5", method: method, training: "max_steps: 4, batch_size: 6, learning_rate: 0.05, save_steps: 2")
    let whole = try run(recipe, "whole")
    #expect(abs(whole.lines[0].loss - log(2)) < 1e-5)
    _ = try run(recipe, "part", stoppingAt: 2)
    #expect(try run(recipe, "part", use: .resumed).trained == whole.trained)
  }

  @Test(arguments: [
    ("gamma: 0.3", "pairs", "preference.gamma: dpo does not read it"), ("loss: kto", "pairs", "holds pairs of answers"),
    ("loss: dpo", "judged", "holds answers with a label"), ("loss: dpq", "pairs", "unknown value 'dpq'"), ("beta: 0", "pairs", "is impossible"),
  ]) func whatDoesNotGoTogetherIsRefused(_ preference: String, _ data: String, _ problem: String) throws {
    let found = complaint { _ = try run(recipe(preference, data: data, training: "max_steps: 1"), "refused") }
    #expect(found.contains(problem), "\(found)")
  }
}
