import Foundation
import GraftCheckpoints
import GraftJSON
import GraftRecipes
import GraftSessions
import GraftTestSupport
import GraftTraining
import Testing

/// A run of a mixture of experts, with what is told of its routers and its experts.
@Suite struct RoutedRunTests {
  private static func recipe(in folder: TemporaryDirectory, training: String = "") throws -> Recipe {
    let texts = (0..<12).map { "{\"text\": \"one \($0) two \($0 * 7) three\"}\n" }
    try folder.write(texts.joined().utf8, to: "data.jsonl")
    return try Recipe(
      yaml: """
        model:
          tokenizer: \(Repository.root.path)/Data/models/seedling
          config: {model_type: mixtral, vocab_size: 1024, hidden_size: 8, intermediate_size: 6, num_hidden_layers: 2,
                   num_attention_heads: 2, num_key_value_heads: 1, num_local_experts: 4, num_experts_per_tok: 2, initializer_range: 0.2}
        method: {peft_type: FULL}
        data: {train: \(folder.path)/data.jsonl, packing: false}
        training: {max_steps: 6, batch_size: 2, logging_steps: 2, save_steps: 3, learning_rate: 0.01\(training)}
        report: {html: true, tensorboard: true}
        """, file: "routed.yaml")
  }

  private static let losses = ", router_aux_loss_coef: 0.1, router_z_loss_coef: 0.01"

  private func lines(_ folder: TemporaryDirectory, _ run: String) throws -> [JSON] {
    try String(contentsOfFile: folder.file(run) + "/metrics.jsonl", encoding: .utf8).split(separator: "\n").map { try JSON(parsing: String($0)) }
  }

  @Test func lossesAndLoadsAreEverywhere() throws {
    let folder = try TemporaryDirectory()
    var logged: [TrainingLine] = []
    let outcome = try TrainingRun(try Self.recipe(in: folder, training: Self.losses), output: folder.file("run")).run { event in
      if case .training(.logged(let line)) = event { logged.append(line) }
    }
    let lines = try lines(folder, "run")
    #expect(lines.count == 3)
    for (line, logged) in zip(lines, logged) {
      let (balance, stability) = (try #require(line["aux_loss"]?.double), try #require(line["z_loss"]?.double))
      #expect(balance >= 1.9 && balance < 4 && stability > 0)
      #expect(logged.auxiliaryLosses == [AuxiliaryLoss("aux_loss", balance), AuxiliaryLoss("z_loss", stability)])
      #expect(line["expert_imbalance"]?.double == logged.expertImbalance && (1...2).contains(logged.expertImbalance ?? 0))
    }
    let summary = outcome.summary
    #expect(summary["final_aux_loss"] == lines[2]["aux_loss"] && summary["final_expert_imbalance"] == lines[2]["expert_imbalance"])
    let load = try #require(summary["expert_load"])
    #expect(load["steps"] == 6 && load["layers"]?.array?.count == 2)
    for layer in load["layers"]?.array ?? [] {
      let shares = (layer["shares"]?.array ?? []).compactMap(\.double)
      #expect(shares.count == 4 && abs(shares.reduce(0, +) - 1) < 1e-12 && shares.allSatisfy { $0 <= 0.5 })
      #expect(layer["path"]?.string?.hasSuffix("block_sparse_moe") == true)
    }
    let page = try String(contentsOfFile: folder.file("run") + "/report.html", encoding: .utf8)
    #expect(page.contains("<h2>Expert load</h2>") && page.contains("<span>Aux loss</span>") && page.contains("<span>Expert imbalance</span>"))
    let events = try FileManager.default.contentsOfDirectory(atPath: folder.file("run")).filter { $0.hasPrefix("events.out") }
    let bytes = try Data(contentsOf: URL(fileURLWithPath: folder.file("run") + "/" + (try #require(events.first))))
    for tag in ["train/aux_loss", "train/z_loss", "train/expert_imbalance"] { #expect(bytes.range(of: Data(tag.utf8)) != nil, "\(tag)") }
  }

  /// Without the losses, experts are counted all the same; the losses change what is learned.
  @Test func losslessRunsCountExperts() throws {
    let folder = try TemporaryDirectory()
    let plain = try TrainingRun(try Self.recipe(in: folder), output: folder.file("plain")).run { _ in }
    #expect(try lines(folder, "plain").allSatisfy { $0["aux_loss"] == nil && $0["z_loss"] == nil && $0["expert_imbalance"] != nil })
    #expect(plain.summary["expert_load"]?["layers"]?.array?.count == 2 && plain.summary["final_aux_loss"] == nil)
    let routed = try TrainingRun(try Self.recipe(in: folder, training: Self.losses), output: folder.file("routed")).run { _ in }
    #expect(routed.summary["final_loss"] != plain.summary["final_loss"])
  }

  /// A run that goes on logs and counts as one that never stopped.
  @Test func aResumedRunTellsTheSame() throws {
    let folder = try TemporaryDirectory()
    let recipe = try Self.recipe(in: folder, training: Self.losses)
    let whole = try TrainingRun(recipe, output: folder.file("whole")).run { _ in }
    var steps = 0
    let part = try TrainingRun(recipe, output: folder.file("part")).run(isInterrupted: { steps >= 3 }) { event in
      if case .training(.stepped) = event { steps += 1 }
    }
    #expect(part.isInterrupted)
    let rest = try TrainingRun(recipe, output: folder.file("part"), use: .resumed).run { _ in }
    #expect(rest.summary["expert_load"] == whole.summary["expert_load"])
    for key in ["loss", "aux_loss", "z_loss", "expert_imbalance"] {
      #expect(try lines(folder, "part").map { $0[key] } == lines(folder, "whole").map { $0[key] }, "\(key)")
    }
  }
}
