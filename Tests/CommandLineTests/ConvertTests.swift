import Foundation
import GraftJSON
import GraftTestSupport
import Testing

/// Models in other forms, and runs that name their models, through the program.
@Suite struct ConvertTests {
  private func output(_ arguments: String...) throws -> String {
    let result = try Graft.run(arguments)
    try #require(result.code == 0, "\(arguments) \(result.errors)")
    return result.output
  }

  @Test func scoresAreThoseOfTheSource() throws {
    let folder = try Graft.scratch()
    func place(_ name: String) -> String { folder.appending(path: name).path }
    let scores = try output("score", "--model", try TinyModel.path, "--data", try TinyModel.dataPath)
    _ = try output("convert", try TinyModel.path, "--to", "gguf", "--output", place("m.gguf"))
    _ = try output("convert", place("m.gguf"), "--to", "pytorch", "--output", place("pickled"))
    _ = try output("convert", place("pickled"), "--to", "safetensors", "--output", place("back"))
    for name in ["pickled", "back"] {
      #expect(try output("score", "--model", place(name), "--data", try TinyModel.dataPath) == scores, "\(name)")
    }
    let again = try Graft.run("convert", place("m.gguf"), "--to", "safetensors", "--output", place("back"))
    #expect(again.code == 73 && again.complaint.contains("--overwrite"))
    #expect(try Graft.run("convert", place("m.gguf"), "--to", "safetensors", "--output", place("back"), "--overwrite").code == 0)
    #expect(try Graft.run("convert", place("nothing"), "--to", "gguf", "--output", place("n.gguf")).code == 66)
    #expect(try Graft.run("convert", place("m.gguf"), "--to", "onnx", "--output", place("o")).code == 64)
    let unread = try Graft.run("score", "--model", folder.path, "--data", try TinyModel.dataPath)
    #expect(unread.code == 66)
  }

  @Test func aRunNamesItsModel() throws {
    let folder = try Graft.scratch()
    let run = folder.appending(path: "run").path
    let recipe = try folder.write(try TinyModel.recipe("report: {html: false, tensorboard: false}"), "recipe.yaml")
    _ = try output("train", recipe, "--output", run, "--quiet")
    let (model, data) = (try TinyModel.path, try TinyModel.dataPath)
    for command in [["score", "--data", data], ["eval", "--data", data, "--json"], ["generate", "--prompt", "one", "--max-new-tokens", "3"]] {
      let named = try Graft.run(command + ["--model", model, "--adapter", run])
      #expect(try Graft.run(command + [run]).output == named.output && named.code == 0, "\(command)")
      #expect(try Graft.run(command + ["--adapter", run]).output == named.output, "\(command)")
    }
    let merged = folder.appending(path: "merged").path
    _ = try output("merge", run, "--output", merged, "--quiet")
    #expect(FileManager.default.fileExists(atPath: "\(merged)/model.safetensors"))
    _ = try output("export", run, "--format", "gguf", "--output", folder.appending(path: "a.gguf").path)
    #expect(try output("tokenize", "--model", run, "one two") == output("tokenize", "--model", model, "one two"))
    // A run of all weights is a model.
    let whole = URL(fileURLWithPath: model).deletingLastPathComponent().path
    #expect(try output("score", whole, "--data", data) == output("score", "--model", model, "--data", data))
    let bare = try Graft.run("score", "--data", data)
    #expect(bare.code == 64 && bare.complaint.contains("--model"))
  }
}
