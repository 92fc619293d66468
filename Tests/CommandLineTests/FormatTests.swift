import Foundation
import GraftJSON
import Testing

/// Adapters and models in other programs' formats, through the program.
@Suite struct FormatTests {
  private func train(_ method: String, _ folder: URL) throws -> String {
    let recipe = folder.appending(path: "recipe.yaml")
    let run = folder.appending(path: "run").path
    let text = """
      model: {path: \(try TinyModel.path)}
      method: \(method)
      data: {train: \(try TinyModel.dataPath), max_length: 64}
      training: {max_steps: 3, batch_size: 2, learning_rate: 1.0e-2}
      report: {html: false, tensorboard: false}
      """
    try Data(text.utf8).write(to: recipe)
    let result = try Graft.run("train", recipe.path, "--output", run, "--quiet")
    try #require(result.code == 0, "\(result.errors)")
    return run
  }

  private func inspect(_ path: String) throws -> JSON { try JSON(parsing: try Graft.run("inspect", path, "--json").output) }

  @Test(arguments: ["{peft_type: ADAPTER}", "{peft_type: ADAPTER, config: compacter, reduction_factor: 4}"])
  func bottlenecksReloadThroughAdapterHub(method: String) throws {
    let folder = try Graft.scratch()
    let run = try train(method, folder)
    func scores(_ adapter: String) throws -> String {
      let result = try Graft.run("score", "--model", try TinyModel.path, "--adapter", adapter, "--data", try TinyModel.dataPath)
      try #require(result.code == 0, "\(result.errors)")
      return result.output
    }
    let hub = folder.appending(path: "hub").path
    let archive = folder.appending(path: "back.h5").path
    let exported = try Graft.run("export", run, "--format", "adapterhub", "--output", hub)
    try #require(exported.code == 0, "\(exported.errors)")
    #expect(try Graft.run("import", hub, "--output", archive).code == 0)
    let direct = try scores(run)
    #expect(try scores(hub) == direct)
    try FileManager.default.removeItem(atPath: hub + "/adapter.safetensors")
    #expect(try scores(hub) == direct)
    #expect(try scores(archive) == direct)
    #expect(try inspect(hub)["adapters"]?[0]?["peft_type"] == "ADAPTER")
    let refused = try Graft.run("export", run, "--format", "gguf", "--output", folder.appending(path: "a.gguf").path)
    #expect(refused.code == 65 && refused.complaint.contains("merge"))
  }

  @Test func lowRankDeltasBecomeGGUF() throws {
    let folder = try Graft.scratch()
    let run = try train("{peft_type: LORA, r: 4, lora_alpha: 6, target_modules: [q_proj, down_proj, embed_tokens]}", folder)
    let path = folder.appending(path: "a.gguf").path
    // An adapter of a base that is not here, which a run would name.
    let moved = folder.appending(path: "moved").path
    #expect(try Graft.run("export", run, "--format", "peft", "--output", moved).code == 0)
    let configuration = URL(fileURLWithPath: "\(moved)/adapter_config.json")
    let text = String(decoding: try Data(contentsOf: configuration), as: UTF8.self)
    try Data(text.replacing(/"base_model_name_or_path":\s*"[^"]*"/, with: "\"base_model_name_or_path\": \"elsewhere\"").utf8).write(to: configuration)
    let refused = try Graft.run("export", moved, "--format", "gguf", "--output", path)
    #expect(refused.code == 64 && refused.complaint.contains("--model"))
    #expect(!FileManager.default.fileExists(atPath: path))
    let other = try Graft.run("export", run, "--format", "adapterhub", "--output", folder.appending(path: "hub").path)
    #expect(other.code == 65 && other.complaint.contains("ADAPTER"))
    let exported = try Graft.run("export", run, "--format", "gguf", "--model", try TinyModel.path, "--output", path)
    try #require(exported.code == 0, "\(exported.errors)")
    let alone = folder.appending(path: "alone.gguf")
    #expect(try Graft.run("export", run, "--format", "gguf", "--output", alone.path).code == 0)
    #expect(try Data(contentsOf: alone) == Data(contentsOf: URL(fileURLWithPath: path)))
    let json = try inspect(path)
    #expect(json["metadata"]?["adapter.lora.alpha"] == 6.0)
    #expect(json["metadata"]?["general.architecture"] == "llama")
    let shapes = Dictionary(uniqueKeysWithValues: (json["tensors"]?.array ?? []).map { ($0["name"]?.string ?? "", $0["shape"] ?? .null) })
    #expect(shapes["token_embd.weight.lora_a"] == [1024, 4] && shapes["token_embd.weight.lora_b"] == [32, 4])
    #expect(shapes["blk.1.ffn_down.weight.lora_a"] == [4, 48] && shapes["blk.1.ffn_down.weight.lora_b"] == [32, 4])
    #expect(shapes["blk.0.attn_q.weight.lora_b"] == [32, 4] && shapes.count == 2 * 5)
  }

  @Test func mergedModelsBecomeGGUF() throws {
    let folder = try Graft.scratch()
    let run = try train("{peft_type: LORA, r: 4}", folder)
    let path = folder.appending(path: "m.gguf").path
    let merged = try Graft.run(
      "merge", "--model", try TinyModel.path, "--adapter", run, "--format", "gguf", "--dtype", "float16", "--output", path)
    try #require(merged.code == 0, "\(merged.errors)")
    let json = try inspect(path)
    let metadata = try #require(json["metadata"])
    #expect(metadata["general.architecture"] == "llama" && metadata["llama.block_count"] == 2)
    #expect(metadata["llama.attention.head_count_kv"] == 2 && metadata["tokenizer.ggml.model"] == "gpt2")
    #expect(metadata["tokenizer.ggml.tokens"] == "1024 values")
    let types = (json["tensors"]?.array ?? []).reduce(into: [String: String]()) { $0[$1["name"]?.string ?? ""] = $1["dtype"]?.string }
    #expect(types["token_embd.weight"] == "F16" && types["output_norm.weight"] == "F32" && types["output.weight"] == nil)
    #expect(types.count == 2 + 2 * 9)
  }
}
