import Foundation
import GraftJSON
import Testing

/// Adapters put together, folded in and looked at through the program.
@Suite struct AdapterCommandTests {
  private func train(_ recipe: String, _ overrides: String...) throws -> String {
    let folder = try Graft.scratch()
    let file = folder.appending(path: "r.yaml")
    let run = folder.appending(path: "run")
    var text = recipe
    for override in overrides { text = text.replacingOccurrences(of: "max_steps: 6", with: "max_steps: 6, \(override)") }
    try Data(text.utf8).write(to: file)
    let result = try Graft.run("train", file.path, "--output", run.path, "--quiet")
    try #require(result.code == 0, "\(result.errors)")
    return run.path
  }

  /// The loss of every example.
  private func losses(_ model: String, _ adapter: String? = nil) throws -> [Double] {
    let data = try TinyModel.dataPath
    let result =
      try adapter.map { try Graft.run("score", "--model", model, "--adapter", $0, "--data", data) }
      ?? Graft.run("score", "--model", model, "--data", data)
    try #require(result.code == 0, "\(result.errors)")
    return try result.output.split(separator: "\n").map { try #require(try JSON(parsing: String($0))["loss"]?.double) }
  }

  private func isClose(_ a: [Double], _ b: [Double]) -> Bool { a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) < 1e-4 } }

  @Test func severalAdaptersAreFoldedInWithTheirWeights() throws {
    let base = try TinyModel.path
    let folder = try Graft.scratch().path
    let first = try train(try TinyModel.recipe(), "seed: 1")
    let second = try train(try TinyModel.recipe(), "seed: 2")
    func run(_ arguments: String...) throws {
      let result = try Graft.run(arguments)
      try #require(result.code == 0, "\(result.errors)")
    }
    try run("merge", "--model", base, "--adapter", first, "--weight", "0.7", "--adapter", second, "--weight", "0.3", "--output", folder + "/sum")
    try run("combine", first, second, "--weight", "0.7", "--weight", "0.3", "--output", folder + "/cat.h5")
    try run("combine", first, second, "--weight", "0.7", "--weight", "0.3", "--combination", "svd", "--svd-rank", "8", "--output", folder + "/svd")
    let sum = try losses(folder + "/sum")
    #expect(isClose(try losses(base, folder + "/cat.h5"), sum))
    #expect(isClose(try losses(base, folder + "/svd"), sum))
    #expect(!isClose(try losses(base, first), sum))
    #expect(!isClose(try losses(base), sum))
    // A weight belongs to the adapter before it; one without has weight 1.
    try run("merge", "--model", base, "--adapter", first, "--adapter", second, "--weight", "0", "--output", folder + "/first")
    #expect(isClose(try losses(folder + "/first"), try losses(base, first)))
    try run("merge", "--model", base, "--adapter", first, "--weight", "0", "--adapter", second, "--output", folder + "/second")
    #expect(isClose(try losses(folder + "/second"), try losses(base, second)))
    let odd = try Graft.run("merge", "--model", base, "--adapter", first, "--weight", "1", "--weight", "2", "--output", folder + "/odd")
    #expect(odd.code == 64 && odd.errors.contains("--weight"))
  }

  @Test func newTokensAreTrainedStoredAndMadeAgain() throws {
    let recipe = try TinyModel.recipe().replacingOccurrences(of: "model: {path: ", with: "model: {new_tokens: [\"<one>\", \"<two>\"], path: ")
    let run = try train(recipe)
    let base = try TinyModel.path
    let merged = try Graft.scratch().appending(path: "merged").path
    #expect(try Graft.run("merge", "--model", base, "--adapter", run, "--output", merged).code == 0)
    #expect(isClose(try losses(merged), try losses(base, run)))
    let encoded = try JSON(parsing: try Graft.run("tokenize", "--model", merged, "<one>a<two>").output)
    #expect(encoded["ids"]?[0]?.int == 1024 && encoded["ids"]?[2]?.int == 1025)
    let wrong = try Graft.run("train", run + "/recipe.yaml", "method={peft_type: IA3}", "--output", merged + "-ia3", "--quiet")
    #expect(wrong.code == 64 && wrong.complaint.contains("new_tokens"))
    let known = try Graft.run("train", run + "/recipe.yaml", "model.new_tokens=[\"<one>\", \"<one>\"]", "--output", merged + "-twice", "--quiet")
    #expect(known.code != 0 && known.complaint.contains("<one>"))
  }

  @Test func fallingBudgetGoesOnFromACheckpoint() throws {
    let recipe = try TinyModel.recipe().replacingOccurrences(
      of: "peft_type: LORA, r: 4", with: "peft_type: ADALORA, init_r: 4, target_r: 1, tinit: 1, tfinal: 1")
    let whole = try train(recipe)
    let cut = try train(recipe)
    func content(_ run: String) throws -> JSON {
      let json = try JSON(parsing: try Graft.run("inspect", run, "--json").output)
      return try #require(json["adapters"]?[0])
    }
    try FileManager.default.removeItem(atPath: cut + "/adapter.h5")
    let result = try Graft.run("train", cut + "/recipe.yaml", "--output", cut, "--resume", "--quiet")
    try #require(result.code == 0, "\(result.errors)")
    #expect(try content(cut)["content_sha256"] == content(whole)["content_sha256"])
    let pattern = try #require(try content(whole)["config"]?["rank_pattern"]?.object)
    let kept = pattern.reduce(0) { $0 + ($1.value.array ?? []).count { $0.bool == true } }
    #expect(kept == pattern.count)
    #expect(try losses(try TinyModel.path, whole).count == 4)
  }

  @Test func factorsThatLearnFasterLearnSomethingElse() throws {
    let plain = try train(try TinyModel.recipe())
    let faster = try train(try TinyModel.recipe(), "loraplus_lr_ratio: 8")
    let base = try TinyModel.path
    #expect(!isClose(try losses(base, plain), try losses(base, faster)))
    let wrong = try Graft.run("train", faster + "/recipe.yaml", "method={peft_type: IA3}", "--output", faster + "-ia3", "--quiet")
    #expect(wrong.code == 64 && wrong.complaint.contains("loraplus_lr_ratio"))
  }

  /// PEFT has these methods for ordinary linear layers only.
  @Test(arguments: ["LOHA", "LOKR", "OFT"]) func whatPEFTCannotOpenIsNotExported(_ method: String) throws {
    let run = try train(
      """
      model:
        tokenizer: Data/models/seedling
        config: {model_type: gpt2, vocab_size: 1024, n_embd: 16, n_layer: 1, n_head: 2, n_positions: 64}
      method: {peft_type: \(method), target_modules: [c_attn]}
      data: {train: \(try TinyModel.dataPath), max_length: 64}
      training: {max_steps: 1, batch_size: 1}
      """)
    let export = try Graft.run("export", run, "--format", "peft", "--output", run + "-peft")
    #expect(export.code == 65 && export.complaint.contains("Conv1D") && export.complaint.contains("merge the adapter"), "\(export.errors)")
    #expect(!FileManager.default.fileExists(atPath: run + "-peft"))
  }

  @Test func inspectMatchesAnAdapterWithItsBase() throws {
    let run = try train(try TinyModel.recipe())
    let base = try TinyModel.path
    let json = try JSON(parsing: try Graft.run("inspect", run, "--model", base, "--json").output)
    let modules = try #require(json["adapters"]?[0]?["modules"]?.array)
    #expect(
      modules.count == 14 && modules.allSatisfy { $0["rank"]?.int == 4 && $0["kind"]?.string == "linear" && ($0["change_norm"]?.double ?? 0) > 0 })
    let text = try Graft.run("inspect", run).output
    #expect(text.contains("q_proj  rank 4"))
    #expect(try Graft.run("inspect", base, "--model", base).code == 64)
  }
}
