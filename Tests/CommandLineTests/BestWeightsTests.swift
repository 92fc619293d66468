import Foundation
import GraftJSON
import Testing

/// The weights that a run which evaluates keeps, and the figures that are of them.
@Suite struct BestWeightsTests {
  /// A rate so high that the held-out loss is best early.
  private func recipe(_ settings: String = "") throws -> String {
    try TinyModel.recipe().replacingOccurrences(
      of: "training: {max_steps: 6, batch_size: 2, save_steps: 3, logging_steps: 1, learning_rate: 1.0e-2}",
      with:
        "training: {max_steps: 30, batch_size: 2, save_steps: 2, eval_steps: 2, logging_steps: 2, save_total_limit: 1, learning_rate: 0.5, early_stopping_patience: 3\(settings)}"
    ).replacingOccurrences(of: "max_length: 64", with: "max_length: 64, packing: false, eval: \(try TinyModel.dataPath)")
  }

  private func train(_ recipe: String, _ arguments: String...) throws -> (run: String, result: Graft.Result) {
    let folder = try Graft.scratch()
    let file = folder.appending(path: "r.yaml")
    let run = folder.appending(path: "run").path
    try Data(recipe.utf8).write(to: file)
    return (run, try Graft.run(["train", file.path, "--output", run] + arguments))
  }

  private func summary(_ run: String) throws -> JSON { try JSON(parsing: Data(contentsOf: URL(fileURLWithPath: run + "/summary.json"))) }

  private func loss(_ run: String) throws -> Double {
    let result = try Graft.run("eval", "--model", try TinyModel.path, "--adapter", run, "--data", try TinyModel.dataPath, "--json")
    return try #require(try JSON(parsing: result.output)["loss"]?.double)
  }

  @Test func bestWeightsAreTheResultAndAreKept() throws {
    let (run, result) = try train(try recipe())
    try #require(result.code == 0, "\(result.errors)")
    let summary = try summary(run)
    let best = try #require(summary["best_eval_loss"]?.double)
    let lines = try String(contentsOfFile: run + "/metrics.jsonl", encoding: .utf8).split(separator: "\n").map { try JSON(parsing: String($0)) }
    let losses = lines.compactMap { line in line["step"]?.int.flatMap { $0 > 0 ? line["eval_loss"]?.double : nil } }
    #expect(losses.min() == best && losses.last == best && losses.count > 3)
    #expect(summary["eval_loss"]?.double == best && summary["best_eval_step"] == summary["result_step"])
    #expect((summary["steps"]?.int ?? 0) > (summary["best_step"]?.int ?? 0))
    let (saved, kept) = (try loss(run), try loss(run + "/checkpoints/best"))
    #expect(abs(saved - best) < 1e-6 && abs(kept - best) < 1e-6)
    #expect(result.errors.contains("was best at step") && result.errors.contains("stopped at step"))
    // The best is not rotated away, and does not count among those that are.
    #expect(try FileManager.default.contentsOfDirectory(atPath: run + "/checkpoints").count == 2)
  }

  @Test func lastWeightsAreTheResultWhereThatIsWished() throws {
    let (run, result) = try train(try recipe(", load_best_model_at_end: false"))
    try #require(result.code == 0, "\(result.errors)")
    let summary = try summary(run)
    #expect((summary["eval_loss"]?.double ?? 0) > (summary["best_eval_loss"]?.double ?? .infinity))
    #expect(abs(try loss(run) - (summary["eval_loss"]?.double ?? .nan)) < 1e-6)
    #expect(!FileManager.default.fileExists(atPath: run + "/checkpoints/best"))
  }

  @Test func anyFigureMayDecide() throws {
    let (run, result) = try train(try recipe(", metric_for_best_model: exact_match"))
    try #require(result.code == 0, "\(result.errors)")
    let summary = try summary(run)
    #expect(summary["metric_for_best_model"]?.string == "eval_exact_match" && summary["best_metric"] == summary["eval_exact_match"])
    let (worst, other) = try train(try recipe(", greater_is_better: true"))
    try #require(other.code == 0, "\(other.errors)")
    #expect(try self.summary(worst)["best_metric"]?.double ?? 0 > summary["best_eval_loss"]?.double ?? .infinity)
    let unknown = try train(try recipe(", metric_for_best_model: bleu")).result
    #expect(unknown.code == 64 && unknown.complaint.contains("\"eval_bleu\" is not measured here; there are eval_loss"))
    let nothing = try train(try TinyModel.recipe(), "training.load_best_model_at_end=true").result
    #expect(nothing.code == 64 && nothing.complaint.contains("no held-out examples"))
  }

  /// Stopped, resumed and resumed again, a run chooses and stops as one that was left alone.
  @Test func resumedRunChoosesAndStopsAsTheWholeOne() throws {
    let (whole, result) = try train(try recipe())
    try #require(result.code == 0, "\(result.errors)")
    let (cut, first) = try train(try recipe(), "training.max_steps=4")
    try #require(first.code == 0, "\(first.errors)")
    let file = (cut as NSString).deletingLastPathComponent + "/r.yaml"
    // The schedule of the whole run is another one, so the rate is made constant in both.
    let constant = try train(try recipe(", lr_scheduler: constant")).run
    let (parts, begun) = try train(try recipe(", lr_scheduler: constant"), "training.max_steps=4")
    try #require(begun.code == 0, "\(begun.errors)")
    let partsFile = (parts as NSString).deletingLastPathComponent + "/r.yaml"
    for steps in ["8", "30"] {
      let result = try Graft.run("train", partsFile, "training.max_steps=\(steps)", "--output", parts, "--resume")
      try #require(result.code == 0, "\(result.errors)")
    }
    let (expected, actual) = (try summary(constant), try summary(parts))
    for key in ["steps", "best_step", "best_metric", "eval_loss", "final_loss", "tokens", "initial_eval_loss", "eval_exact_match"] {
      #expect(actual[key] == expected[key] && expected[key] != nil, "\(key)")
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: parts + "/adapter.h5")) == Data(contentsOf: URL(fileURLWithPath: constant + "/adapter.h5")))
    #expect(try Graft.run("train", file, "training.max_steps=30", "--output", cut, "--resume").code == 0 && whole != cut)
  }

  /// A comparison chooses by a share of the training examples or not at all.
  @Test func comparisonNeverChoosesByWhatItReports() throws {
    let folder = try Graft.scratch()
    let file = folder.appending(path: "r.yaml")
    try Data((try recipe() + "\nseeds: [0]\nmethods:\n  - {name: lora, method: {peft_type: LORA, r: 2}}\n").utf8).write(to: file)
    func compare(_ arguments: String...) throws -> Graft.Result {
      try Graft.run(["compare", file.path, "--output", folder.appending(path: UUID().uuidString).path] + arguments)
    }
    let refused = try compare("training.load_best_model_at_end=true")
    #expect(refused.code == 64 && refused.complaint.contains("data.eval_fraction"))
    let plain = try compare()
    let chosen = try compare("data.eval_fraction=0.25")
    #expect(plain.code == 0 && chosen.code == 0, "\(chosen.errors)")
    #expect(plain.output != chosen.output)
  }
}
