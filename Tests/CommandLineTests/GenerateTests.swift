import Foundation
import GraftJSON
import Testing

@Suite struct GenerateTests {
  private static let seedling = "Data/models/seedling"

  private func generate(_ arguments: String...) throws -> Graft.Result {
    try Graft.run(["generate", "--model", Self.seedling, "--max-new-tokens", "24"] + arguments)
  }

  private func promptFile() throws -> String {
    let file = try Graft.scratch().appending(path: "prompts.jsonl")
    try Data("{\"prompt\": \"Once upon a time\"}\n{\"prompt\": \"The cat\"}\n{\"prompt\": \"One day, Tim\"}\n".utf8).write(to: file)
    return file.path
  }

  @Test func streamingChangesNothing() throws {
    let file = try promptFile()
    for options in [["--temperature", "0.9", "--seed", "4"], ["--stop", "."], []] {
      let plain = try Graft.run(["generate", "--model", Self.seedling, "--max-new-tokens", "24", "--data", file] + options)
      let streamed = try Graft.run(["generate", "--model", Self.seedling, "--max-new-tokens", "24", "--data", file, "--stream"] + options)
      #expect(plain.code == 0 && plain.output.count > 30)
      #expect(streamed.output == plain.output)
    }
    #expect(try generate("--data", file, "--json", "--stream").output == generate("--data", file, "--json").output)
  }

  @Test func stopStringEndsTheText() throws {
    let whole = try JSON(parsing: try generate("--prompt", "Once upon a time", "--json").output)
    let cut = try JSON(parsing: try generate("--prompt", "Once upon a time", "--json", "--stop", ".").output)
    let text = try #require(whole["text"]?.string), end = try #require(text.firstIndex(of: "."))
    #expect(cut["text"]?.string == String(text[..<end]))
    // The tokens are those that were written: up to the one that completes the stop string.
    let tokens = try #require(whole["tokens"]?.array), fewer = try #require(cut["tokens"]?.array)
    #expect(fewer.count < tokens.count && Array(tokens.prefix(fewer.count)) == fewer)
  }

  @Test func beamsSearch() throws {
    let plain = try generate("--prompt", "The cat", "--json"), one = try generate("--prompt", "The cat", "--json", "--num-beams", "1")
    #expect(plain.output == one.output)
    let several = try generate("--prompt", "The cat", "--json", "--num-beams", "4", "--length-penalty", "-0.5", "--early-stopping", "never")
    #expect(several.code == 0, "\(several.errors)")
    #expect(try JSON(parsing: several.output)["tokens"]?.array?.isEmpty == false)
    let stopped = try generate("--prompt", "Once upon a time", "--num-beams", "3", "--stop", ".")
    #expect(stopped.code == 0 && !stopped.output.contains("."))
  }

  @Test(arguments: [
    ["--num-beams", "3", "--stream"], ["--num-beams", "3", "--temperature", "1"], ["--num-beams", "0"], ["--top-p", "1.5"], ["--min-p", "2"],
    ["--temperature", "-1"], ["--repetition-penalty", "0"], ["--top-k", "-2"], ["--stop", ""], ["--max-new-tokens", "0"],
  ])
  func impossibleSettingsAreUsageErrors(_ options: [String]) throws {
    let result = try Graft.run(["generate", "--model", Self.seedling, "--prompt", "a"] + options)
    #expect(result.code == 64)
    #expect(result.output.isEmpty)
    #expect(result.errors.contains(options[0]), "\(result.errors)")
  }

  @Test func settingsWithoutEffectAreSaid() throws {
    #expect(try generate("--prompt", "The cat", "--top-p", "0.9").errors.contains("--top-p without effect at temperature 0"))
    #expect(try generate("--prompt", "The cat", "--top-p", "0.9", "--temperature", "1").errors.isEmpty)
  }
}
