import Foundation
import GraftJSON
import Testing

/// Whole runs through the program: that they repeat, go on after an interruption, and leave the base alone.
@Suite struct RunTests {
  private func train(_ recipe: String, threads: Int = 2) throws -> URL {
    let folder = try Graft.scratch()
    let file = folder.appending(path: "r.yaml")
    let run = folder.appending(path: "run")
    try Data(recipe.utf8).write(to: file)
    let result = try Graft.run("train", file.path, "--output", run.path, "--quiet", "--threads", String(threads))
    try #require(result.code == 0, "\(result.errors)")
    return run
  }

  private func content(of run: URL) throws -> String {
    let json = try JSON(parsing: try Graft.run("inspect", run.path, "--json").output)
    return try #require(json["adapters"]?[0]?["content_sha256"]?.string)
  }

  @Test func adapterIsTheSameToTheBitOnOneAndTwoThreads() throws {
    let recipe = try TinyModel.recipe()
    let one = try content(of: try train(recipe, threads: 1))
    #expect(try content(of: try train(recipe)) == one)
    #expect(try content(of: try train(recipe.replacingOccurrences(of: "max_steps: 6", with: "max_steps: 5"))) != one)
  }

  /// In float16 the first two steps overflow and are skipped.
  @Test(arguments: ["", ", precision: fp16, loss_scale: {initial: 1.0e+30, backoff_factor: 1.0e-14}", ", optimizer_state: bf16"])
  func resumedRunEqualsTheUninterruptedOne(settings: String) throws {
    let recipe = try TinyModel.recipe().replacingOccurrences(of: "max_steps: 6", with: "max_steps: 6\(settings)")
    let whole = try train(recipe)
    // A run of which only the checkpoint of step 3 is left.
    let cut = try train(recipe)
    for name in ["adapter.h5", "checkpoints/step-6"] { try FileManager.default.removeItem(at: cut.appending(path: name)) }
    let file = cut.deletingLastPathComponent().appending(path: "r.yaml")
    let result = try Graft.run("train", file.path, "--output", cut.path, "--resume", "--quiet")
    try #require(result.code == 0, "\(result.errors)")
    #expect(try content(of: cut) == content(of: whole))
    func log(_ run: URL) throws -> [JSON] {
      try String(contentsOf: run.appending(path: "metrics.jsonl"), encoding: .utf8).split(separator: "\n").map { try JSON(parsing: String($0)) }
    }
    let losses = try log(whole).compactMap { $0["loss"]?.double }
    #expect(try log(cut).compactMap { $0["loss"]?.double } == losses && losses.count == 6)
    let skipped = try [whole, cut].map { try log($0).last?["skipped_steps"]?.int }
    #expect(skipped == (settings.contains("fp16") ? [2, 2] : [nil, nil]))
  }

  @Test func baseIsUntouchedAndTheAdapterReloadsThroughEveryFormat() throws {
    let base = try TinyModel.path
    let weights = URL(fileURLWithPath: base).appending(path: "model.safetensors")
    let before = try Data(contentsOf: weights)
    let run = try train(try TinyModel.recipe())
    #expect(try Data(contentsOf: weights) == before)

    let folder = try Graft.scratch()
    let data = try TinyModel.dataPath
    func scores(_ adapter: String) throws -> String {
      let result = try Graft.run("score", "--model", base, "--adapter", adapter, "--data", data)
      try #require(result.code == 0, "\(result.errors)")
      return result.output
    }
    let direct = try scores(run.path)
    #expect(direct != (try Graft.run("score", "--model", base, "--data", data).output))
    let peft = folder.appending(path: "peft").path
    let archive = folder.appending(path: "back.h5").path
    #expect(try Graft.run("export", run.path, "--format", "peft", "--output", peft).code == 0)
    #expect(try Graft.run("import", peft, "--output", archive).code == 0)
    #expect(try scores(peft) == direct)
    #expect(try scores(archive) == direct)

    let merged = folder.appending(path: "merged").path
    #expect(try Graft.run("merge", "--model", base, "--adapter", run.path, "--output", merged).code == 0)
    func losses(_ text: String) throws -> [Double] {
      try text.split(separator: "\n").compactMap { try JSON(parsing: String($0))["loss"]?.double }
    }
    let folded = try losses(try Graft.run("score", "--model", merged, "--data", data).output)
    for (a, b) in zip(folded, try losses(direct)) { #expect(abs(a - b) < 1e-4) }
    #expect(folded.count == 4)
  }

  @Test func accumulationDoesNotChangeTheLoss() throws {
    func finalLoss(batch: Int, accumulation: Int) throws -> Double {
      let recipe = try TinyModel.recipe().replacingOccurrences(
        of: "batch_size: 2", with: "batch_size: \(batch), gradient_accumulation_steps: \(accumulation)")
      let run = try train(recipe.replacingOccurrences(of: "max_length: 64", with: "max_length: 64, packing: false, shuffle: false"))
      let summary = try JSON(parsing: Data(contentsOf: run.appending(path: "summary.json")))
      return try #require(summary["final_loss"]?.double)
    }
    let whole = try finalLoss(batch: 4, accumulation: 1)
    #expect(abs(try finalLoss(batch: 1, accumulation: 4) - whole) < 1e-5 * whole)
  }

  @Test func generationEndsAndScoresAreJSONLines() throws {
    let model = try TinyModel.path
    let generated = try Graft.run("generate", "--model", model, "--prompt", "one two", "--max-new-tokens", "5", "--json")
    let line = try JSON(parsing: generated.output)
    #expect((line["tokens"]?.array?.count ?? 0) <= 5)
    for line in try Graft.run("score", "--model", model, "--data", try TinyModel.dataPath).output.split(separator: "\n") {
      let json = try JSON(parsing: String(line))
      #expect(json["logprobs"]?.array?.first?.isNull == true)
      #expect(json["tokens"]?.array?.count == json["scored"]?.array?.count)
    }
  }
}
