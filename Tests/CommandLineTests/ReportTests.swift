import Foundation
import GraftJSON
import Testing

/// `graft report`, and what runs say of classifications.
@Suite struct ReportTests {
  private static let small = [
    "training.max_steps=3", "training.logging_steps=1", "model.config.num_hidden_layers=1", "model.config.hidden_size=32",
    "model.config.intermediate_size=32", "report.tensorboard=false",
  ]

  private func classification(_ folder: URL, _ settings: String...) throws -> Graft.Result {
    try Graft.run(["train", "Recipes/bert-classification.yaml", "--output", folder.path] + Self.small + settings)
  }

  @Test func classificationsAreToldClassByClass() throws {
    let folder = try Graft.scratch().appending(path: "run")
    let result = try classification(folder)
    #expect(result.code == 0, "\(result.errors)")
    #expect(result.errors.contains(/accuracy: [0-9.]+ % before, [0-9.]+ % after/), "\(result.errors)")
    let summary = try JSON(parsing: Data(contentsOf: folder.appending(path: "summary.json")))
    let matrix = (summary["classification"]?["confusion"]?.array ?? []).map { ($0.array ?? []).compactMap(\.int) }
    #expect(matrix.count == 4 && matrix.allSatisfy { $0.count == 4 })
    // The matrix counts every held-out example, and its diagonal is the accuracy.
    #expect(matrix.joined().reduce(0, +) == summary["evaluation_examples"]?.int)
    let hits = matrix.indices.reduce(0) { $0 + matrix[$1][$1] }
    let accuracy = try #require(summary["eval_accuracy"]?.double)
    #expect(abs(Double(hits) / 400 - accuracy) < 1e-9)
    #expect(summary["initial_eval_accuracy"]?.double != nil)
    let page = try String(contentsOf: folder.appending(path: "report.html"), encoding: .utf8)
    #expect(page.contains("<h2>Classes</h2>") && page.contains("<h3>Confusion matrix</h3>") && page.contains("Mistakes that the model was surest of"))
  }

  @Test func runsStandBesideOneAnother() throws {
    let scratch = try Graft.scratch()
    for (name, rate) in [("slow", "1e-5"), ("fast", "1e-2")] {
      #expect(try classification(scratch.appending(path: name), "training.learning_rate=\(rate)").code == 0)
    }
    let output = scratch.appending(path: "report")
    let arguments = ["report", scratch.appending(path: "slow").path, scratch.appending(path: "fast").path, "--output", output.path]
    let result = try Graft.run(arguments)
    #expect(result.code == 0, "\(result.errors)")
    #expect(result.output.contains("slow") && result.output.contains("fast") && result.output.contains("95 % interval"))
    let page = try String(contentsOf: output.appending(path: "report.html"), encoding: .utf8)
    #expect(page.contains("<h2>In which the recipes differ</h2>") && page.contains("training.learning_rate") && !page.contains("output_dir"))
    let names = try FileManager.default.contentsOfDirectory(atPath: output.path).sorted()
    #expect(names == ["plots", "report.html", "runs.md", "runs.tex"])
    // A second report does not take its place unasked.
    #expect(try Graft.run(arguments).code == 73)
    #expect(try Graft.run(arguments + ["--overwrite"]).code == 0)
  }

  @Test func whatIsNoRunIsSaid() throws {
    let missing = try Graft.run("report", "no-such-run")
    #expect(missing.code == 64 && missing.complaint.contains("holds no run"), "\(missing.errors)")
  }
}
