import Foundation
import GraftComparison
import GraftJSON
import GraftRecipes
import GraftTestSupport
import GraftTraining
import Testing

/// Methods share a base where it is built alike, and only there.
@Suite struct MethodBaseTests {
  /// The lines logged for each method of a comparison of a tiny Mixtral under one seed.
  private func logged(_ methods: String, training: String = "", in folder: TemporaryDirectory) throws -> [String: [TrainingLine]] {
    let texts = (0..<8).map { "{\"text\": \"one \($0) two \($0 * 7) three\"}\n" }
    try folder.write(texts.joined().utf8, to: "data.jsonl")
    let recipe = try Recipe(
      yaml: """
        model:
          tokenizer: \(Repository.root.path)/Data/models/seedling
          config: {model_type: mixtral, vocab_size: 1024, hidden_size: 8, intermediate_size: 6, num_hidden_layers: 2,
                   num_attention_heads: 2, num_key_value_heads: 1, num_local_experts: 4, num_experts_per_tok: 2, initializer_range: 0.2}
        data: {train: \(folder.path)/data.jsonl, eval: \(folder.path)/data.jsonl, forgetting: \(folder.path)/data.jsonl, packing: false}
        training: {max_steps: 2, batch_size: 2, logging_steps: 1, learning_rate: 0.01\(training)}
        seeds: [0]
        methods:
        \(methods)
        """, file: "compared.yaml")
    var lines: [String: [TrainingLine]] = [:]
    var name = ""
    let result = try Comparison(recipe, output: folder.file("out")).run { event in
      switch event {
      case .runStarted(let method, _, _, _): name = method
      case .training(.logged(let line)): lines[name, default: []].append(line)
      default: break
      }
    }
    let runs = try #require(result).runs
    #expect(runs.allSatisfy { $0.status == .success && $0.forgetting != nil }, "\(runs.map(\.message))")
    return lines
  }

  /// Losses of routers are built into a model: a method trains with its own, and without where it has none.
  @Test(arguments: [false, true]) func routersLossesAreTheMethodsOwn(balancedFirst: Bool) throws {
    let folder = try TemporaryDirectory()
    let plain = "  - {name: plain, method: {peft_type: LORA, r: 2}}"
    let balanced = "  - {name: balanced, method: {peft_type: LORA, r: 2}, training: {router_aux_loss_coef: 0.01}}"
    let lines = try logged((balancedFirst ? [balanced, plain] : [plain, balanced]).joined(separator: "\n"), in: folder)
    #expect(lines["plain"]?.count == 2 && lines["plain"]?.allSatisfy(\.auxiliaryLosses.isEmpty) == true)
    #expect(lines["balanced"]?.map { $0.auxiliaryLosses.map(\.name) } == [["aux_loss"], ["aux_loss"]])
  }

  /// A model of its own is measured without the first one, which stays in memory.
  @Test func memoryIsThatOfTheMethodsOwnModel() throws {
    let folder = try TemporaryDirectory()
    try folder.write("{\"text\": \"one two three\"}\n{\"text\": \"two\"}\n".utf8, to: "data.jsonl")
    func model(_ size: Int) -> String {
      """
      {tokenizer: \(Repository.root.path)/Data/models/seedling, config: {model_type: llama, vocab_size: 1024, hidden_size: \(size),
        intermediate_size: 8, num_hidden_layers: 1, num_attention_heads: 2, num_key_value_heads: 1}}
      """
    }
    let recipe = try Recipe(
      yaml: """
        model: \(model(1024))
        data: {train: \(folder.path)/data.jsonl, eval: \(folder.path)/data.jsonl, packing: false}
        training: {max_steps: 1, batch_size: 1, learning_rate: 0.01}
        seeds: [0]
        methods:
          - {name: large, method: {peft_type: LORA, r: 2}}
          - {name: small, method: {peft_type: LORA, r: 2}, model: \(model(8))}
        """, file: "compared.yaml")
    let result = try #require(try Comparison(recipe, output: folder.file("out")).run { _ in })
    let peaks = result.runs.map(\.peakMemoryBytes)
    // The table and the head of the first model have a million values each.
    #expect(peaks.count == 2 && peaks[0] > 4 * 2 << 20 && (1..<1 << 20).contains(peaks[1]), "\(peaks)")
  }

  /// In 16 bits where all methods on a base allow it; full fine-tuning on another base has no say.
  @Test func basesOfTheirOwnHaveTheFormatOfTheirMethods() throws {
    let recipe = try Recipe(
      yaml: """
        model: {path: m}
        data: {train: t.jsonl}
        training: {precision: bf16}
        methods:
          - {name: shared, method: {peft_type: LORA}}
          - {name: full, method: {peft_type: FULL}}
          - {name: own, method: {peft_type: LORA}, model: {path: n}}
        """, file: "r.yaml")
    let methods = try recipe.plannedMethods()
    #expect(methods.map { $0.frozenFormat(among: methods) } == [.float32, .float32, .bfloat16])
  }

  @Test func runsOnBasesOfTheirOwnAreKnownAgain() throws {
    let folder = try TemporaryDirectory()
    let methods = """
        - {name: plain, method: {peft_type: LORA, r: 2}}
        - {name: balanced, method: {peft_type: LORA, r: 2}, training: {router_aux_loss_coef: 0.01}}
      """
    #expect(try logged(methods, in: folder).count == 2)
    #expect(try logged(methods, in: folder).isEmpty)
  }
}
