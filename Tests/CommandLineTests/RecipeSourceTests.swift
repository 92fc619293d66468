import Foundation
import GraftJSON
import GraftTestSupport
import Testing

/// A recipe comes from a file, from standard input, or from options alone.
@Suite struct RecipeSourceTests {
  private func summary(_ run: URL) throws -> JSON { try JSON(parsing: Data(contentsOf: run.appending(path: "summary.json"))) }

  private func recipe(_ run: URL) throws -> String { try String(contentsOf: run.appending(path: "recipe.yaml"), encoding: .utf8) }

  @Test func modelAndDataSuffice() throws {
    let run = try Graft.scratch().appending(path: "run")
    let (model, data) = (try TinyModel.path, try TinyModel.dataPath)
    let result = try Graft.run(
      "train", "--model", model, "--data", data, "training.max_steps=2", "--output", run.path, "--method", "ia3", "--seed", "5")
    try #require(result.code == 0, "\(result.errors)")
    #expect(try summary(run)["steps"] == 2)
    let recipe = try recipe(run)
    #expect(recipe.contains("peft_type: ia3") && recipe.contains("path: \(model)") && recipe.contains("seed: 5"), "\(recipe)")
  }

  /// Options stand above the recipe, and settings above both.
  @Test func optionsStandAboveTheRecipe() throws {
    let folder = try Graft.scratch()
    let file = folder.appending(path: "r.yaml")
    try Data(try TinyModel.recipe(data: "none.jsonl").utf8).write(to: file)
    let run = folder.appending(path: "run")
    let result = try Graft.run(
      "train", file.path, "--data", try TinyModel.dataPath, "--seed", "3", "training.seed=4", "training.max_steps=1", "--output", run.path)
    try #require(result.code == 0, "\(result.errors)")
    #expect(try recipe(run).contains("seed: 4"))
  }

  @Test func standardInputIsARecipe() throws {
    let folder = try Graft.scratch()
    let file = folder.appending(path: "r.yaml")
    try Data(try TinyModel.recipe().utf8).write(to: file)
    let run = folder.appending(path: "run")
    let input = try FileHandle(forReadingFrom: file)
    let result = try Graft.run(["train", "-", "training.max_steps=1", "--output", run.path], input: input)
    try #require(result.code == 0, "\(result.errors)")
    #expect(try summary(run)["steps"] == 1)
    try Data("model: {path: x}\ntrainnig: {}\n".utf8).write(to: file)
    let refused = try Graft.run(["train", "-"], input: try FileHandle(forReadingFrom: file))
    #expect(refused.code == 64 && refused.complaint.hasPrefix("error: standard input:2: trainnig: unknown key; did you mean 'training'?"))
  }

  /// Values that are found wrong when model and method are known have their place all the same.
  @Test(arguments: [
    ("r: 4", "r: 0", "r.yaml:2: method.r: "), ("method:", "task: seq2seq_lm\nmethod:", "r.yaml:2: task: "),
    ("r: 4", "r: 4, lora_alpah: 3", "r.yaml:2: method.lora_alpah: "),
  ])
  func errorsFoundLaterHaveTheirPlace(old: String, new: String, start: String) throws {
    let file = try Graft.scratch().appending(path: "r.yaml")
    try Data(try TinyModel.recipe().replacingOccurrences(of: old, with: new).utf8).write(to: file)
    let result = try Graft.run("train", file.path, "--output", file.deletingLastPathComponent().appending(path: "run").path)
    #expect(result.code == 64 && result.complaint.contains(start), "\(result.errors)")
  }
}
