import Foundation
import GraftJSON
import Testing

/// A decoder whose prompts see themselves, from training to generation.
@Suite struct AttentionTests {
  private func scores(_ arguments: String...) throws -> [[Double?]] {
    let result = try Graft.run(["score", "--model", try TinyModel.path] + arguments)
    try #require(result.code == 0, "\(result.errors)")
    return try result.output.split(separator: "\n").map { line in
      try #require(try JSON(parsing: String(line))["logprobs"]?.array).map(\.double)
    }
  }

  private func data(_ lines: String) throws -> String {
    let file = try Graft.scratch().appending(path: "data.jsonl")
    try Data(lines.utf8).write(to: file)
    return file.path
  }

  @Test func completionsAreCausalAndPromptsAreNot() throws {
    let file = try data(
      """
      {"prompt": "one two three", "completion": " red green"}
      {"prompt": "one two three", "completion": " red blue"}
      {"prompt": "one two four", "completion": " red green"}

      """)
    let prefix = try scores("--data", file, "--attention", "prefix")
    let causal = try scores("--data", file)
    // A prompt that sees itself has no probabilities; a completion's differ from the causal ones.
    let start = try #require(prefix[0].firstIndex { $0 != nil })
    #expect(start > 1 && causal[0].firstIndex { $0 != nil } == 1)
    #expect(prefix[0][start] != causal[0][start])
    // The same but for the last word.
    let common = zip(prefix[0], prefix[1]).prefix { $0 == $1 }.count
    #expect(common > start && common < prefix[0].count)
    #expect(prefix[0][start] != prefix[2][start])
  }

  @Test func trainedAttentionIsThatOfEveryCommand() throws {
    let folder = try Graft.scratch()
    let run = folder.appending(path: "run").path
    let file = try TinyModel.dataPath
    let recipe = folder.appending(path: "r.yaml")
    let text = try TinyModel.recipe().replacingOccurrences(of: "path: \(try TinyModel.path)", with: "path: \(try TinyModel.path), attention: prefix")
    try Data(text.utf8).write(to: recipe)
    let trained = try Graft.run("train", recipe.path, "--output", run, "--quiet")
    try #require(trained.code == 0, "\(trained.errors)")

    let own = try scores("--adapter", run, "--data", file)
    #expect(try scores("--adapter", run, "--data", file, "--attention", "prefix") == own)
    #expect(try scores("--adapter", run, "--data", file, "--attention", "causal") != own)
    let evaluated = try JSON(parsing: try Graft.run("eval", "--model", try TinyModel.path, "--adapter", run, "--data", file, "--json").output)
    let all = own.flatMap { $0.compactMap { $0 } }
    let loss = try #require(evaluated["loss"]?.double)
    #expect(abs(loss + all.reduce(0, +) / Double(all.count)) < 1e-5)

    // The first new token is the one that scores best as a completion.
    func generated(_ attention: String) throws -> JSON {
      let result = try Graft.run(
        "generate", "--model", try TinyModel.path, "--adapter", run, "--attention", attention, "--prompt", "one two", "--max-new-tokens", "6",
        "--json")
      try #require(result.code == 0, "\(result.errors)")
      return try JSON(parsing: result.output)
    }
    #expect(try generated("prefix") == generated("prefix"))
    // A merged model keeps it.
    let merged = folder.appending(path: "merged").path
    try #require(try Graft.run("merge", "--model", try TinyModel.path, "--adapter", run, "--output", merged).code == 0)
    let configuration = try JSON(parsing: Data(contentsOf: URL(fileURLWithPath: merged + "/config.json")))
    #expect(configuration["attention_style"]?.string == "prefix")
  }

  @Test func attentionThatCannotBe() throws {
    func complaint(_ arguments: String...) throws -> String {
      let result = try Graft.run(arguments)
      #expect(result.code == 64, "\(result.errors)")
      return result.complaint
    }
    let model = try TinyModel.path
    let file = try TinyModel.dataPath
    #expect(try complaint("score", "--model", model, "--data", file, "--attention", "bidirectional").contains("shows every token"))
    #expect(try complaint("generate", "--model", model, "--prompt", "a", "--attention", "bidirectional").contains("bidirectional"))
    #expect(try Graft.run("embed", "--model", model, "--data", try data("{\"text\": \"a b\"}\n"), "--attention", "bidirectional").code == 0)
  }
}
