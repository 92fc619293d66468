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
    let text = try #require(whole["text"]?.string)
    let end = try #require(text.firstIndex(of: "."))
    #expect(cut["text"]?.string == String(text[..<end]))
    // The tokens are those that were written: up to the one that completes the stop string.
    let tokens = try #require(whole["tokens"]?.array)
    let fewer = try #require(cut["tokens"]?.array)
    #expect(fewer.count < tokens.count && Array(tokens.prefix(fewer.count)) == fewer)
  }

  /// Stop strings are compared with the text as it is generated: special tokens, which are not shown, are part of it.
  @Test func aStopStringMayHoldSpecialTokens() throws {
    let prompt = "<|im_start|>user\nWhat color is grass?<|im_end|>\n<|im_start|>assistant\n"
    let file = try Graft.scratch().appending(path: "g.json")
    try Data(#"{"eos_token_id": 0}"#.utf8).write(to: file)
    let whole = try JSON(parsing: generate("--prompt", prompt, "--json").output)
    let text = try #require(whole["text"]?.string)
    let lastWord = try #require(text.split(separator: " ").last)
    for options in [[], ["--num-beams", "2"]] {
      let open = ["--prompt", prompt, "--generation-config", file.path] + options
      func answer(_ stop: String) throws -> JSON {
        try JSON(parsing: Graft.run(["generate", "--model", Self.seedling, "--max-new-tokens", "24", "--json", "--stop", stop] + open).output)
      }
      let cut = try answer("<|im_end|>")
      #expect(cut["text"]?.string == text && cut["tokens"] == whole["tokens"])
      #expect(try answer("\(lastWord)<|im_end|>")["text"]?.string == String(text.dropLast(lastWord.count)))
    }
    let streamed = try Graft.run(
      [
        "generate", "--model", Self.seedling, "--max-new-tokens", "24", "--stream", "--stop", "<|im_end|>", "--prompt", prompt, "--generation-config",
        file.path,
      ])
    #expect(streamed.output == text + "\n")
  }

  @Test func beamsSearch() throws {
    let plain = try generate("--prompt", "The cat", "--json")
    let one = try generate("--prompt", "The cat", "--json", "--num-beams", "1")
    #expect(plain.output == one.output)
    let several = try generate("--prompt", "The cat", "--json", "--num-beams", "4", "--length-penalty", "-0.5", "--early-stopping", "never")
    #expect(several.code == 0, "\(several.errors)")
    #expect(try JSON(parsing: several.output)["tokens"]?.array?.isEmpty == false)
    let stopped = try generate("--prompt", "Once upon a time", "--num-beams", "3", "--stop", ".")
    #expect(stopped.code == 0 && !stopped.output.contains("."))
  }

  @Test(arguments: [
    ["--num-beams", "3", "--stream"], ["--num-beams", "0"], ["--num-beams", "1000000000000000000"], ["--top-p", "1.5"], ["--min-p", "2"],
    ["--temperature", "-1"], ["--temperature", "nan"], ["--temperature", "inf"], ["--repetition-penalty", "0"], ["--top-k", "-2"], ["--stop", ""],
    ["--max-new-tokens", "0"], ["--max-new-tokens", "1000000000000000000"], ["--length-penalty", "nan"],
  ])
  func impossibleSettingsAreUsageErrors(_ options: [String]) throws {
    let result = try Graft.run(["generate", "--model", Self.seedling, "--prompt", "a"] + options)
    #expect(result.code == 64)
    #expect(result.output.isEmpty)
    #expect(result.errors.contains(options[0]), "\(result.errors)")
  }

  @Test func largeNumbersThatMeanSomethingAreTaken() throws {
    let plain = try generate("--prompt", "The cat", "--json")
    let options = ["--top-k", "\(Int.max)", "--repetition-penalty", "1", "--length-penalty", "-1e30", "--seed", "\(Int.min)"]
    let result = try Graft.run(["generate", "--model", Self.seedling, "--max-new-tokens", "24", "--prompt", "The cat", "--json"] + options)
    #expect(result.code == 0 && result.output == plain.output, "\(result.errors)")
    // Next to nothing is the limit of taking the most probable token.
    let cold = try generate("--prompt", "The cat", "--json", "--temperature", "1e-40")
    #expect(cold.code == 0 && cold.output == plain.output, "\(cold.errors)")
  }

  /// `generation_config.json` holds where no option says otherwise; what is measured does not hang on it.
  @Test func theCheckpointsWishesHold() throws {
    let folder = try Graft.scratch().appending(path: "model")
    try FileManager.default.copyItem(at: Graft.root.appending(path: Self.seedling), to: folder)
    let file = folder.appending(path: "generation_config.json")
    func run(_ command: String, _ options: String..., model: String) throws -> Graft.Result {
      let result = try Graft.run([command, "--model", model] + options)
      #expect(result.code == 0, "\(result.errors)")
      return result
    }
    let prompt = ["--prompt", "Once upon a time, Once upon a time", "--json"]
    let data = try Graft.scratch().appending(path: "data.jsonl")
    try Data("{\"prompt\": \"The sun is\", \"completion\": \" hot\"}\n".utf8).write(to: data)
    try Data(#"{"eos_token_id": [0, 3], "repetition_penalty": 1.8, "max_new_tokens": 9}"#.utf8).write(to: file)
    let wished = try Graft.run(["generate", "--model", folder.path] + prompt)
    let asked = try Graft.run(["generate", "--model", Self.seedling, "--repetition-penalty", "1.8", "--max-new-tokens", "9"] + prompt)
    let plain = try Graft.run(["generate", "--model", Self.seedling, "--max-new-tokens", "9"] + prompt)
    #expect(wished.code == 0 && wished.output == asked.output && wished.output != plain.output, "\(wished.errors)")
    let without = try Graft.run(["generate", "--model", folder.path, "--generation-config", "none", "--max-new-tokens", "9"] + prompt)
    #expect(without.output == plain.output, "\(without.errors)")
    #expect(
      try run("eval", "--data", data.path, "--json", model: folder.path).output
        == run("eval", "--data", data.path, "--json", model: Self.seedling).output)
    let shown = try JSON(parsing: Graft.run("inspect", folder.path, "--json").output)["generation"]
    #expect(shown?["repetition_penalty"]?.double == 1.8 && shown?["file"]?.string == "generation_config.json")

    // A draw, and a search, that only the file asks for.
    try Data(#"{"eos_token_id": [0, 3], "do_sample": true, "temperature": 1.5}"#.utf8).write(to: file)
    func drawn(_ seed: String) throws -> String {
      try Graft.run(["generate", "--model", folder.path, "--seed", seed, "--max-new-tokens", "9"] + prompt).output
    }
    #expect(try drawn("1") != drawn("2") && drawn("1") == drawn("1"))
    #expect(try Graft.run(["generate", "--model", folder.path, "--temperature", "0", "--max-new-tokens", "9"] + prompt).output == plain.output)
    try Data(#"{"eos_token_id": [0, 3], "num_beams": 4}"#.utf8).write(to: file)
    let search = try Graft.run(["generate", "--model", Self.seedling, "--num-beams", "4", "--max-new-tokens", "9"] + prompt).output
    #expect(try Graft.run(["generate", "--model", folder.path, "--max-new-tokens", "9"] + prompt).output == search)
    let streamed = try Graft.run(["generate", "--model", folder.path, "--stream", "--prompt", "a"])
    #expect(streamed.code == 64 && streamed.errors.contains("--stream"), "\(streamed.errors)")
    try Data(#"{"eos_token_id": [0, 3], "guidance_scale": 2}"#.utf8).write(to: file)
    let refused = try Graft.run(["generate", "--model", folder.path] + prompt)
    #expect(refused.code == 65 && refused.complaint.contains("guidance_scale: unsupported"), "\(refused.errors)")
    try Data(#"{"eos_token_id": 2147483648}"#.utf8).write(to: file)
    #expect(try Graft.run(["generate", "--model", folder.path] + prompt).code == 65)
  }

  /// A fault of one prompt is told with its place in the file.
  @Test func aPromptHasAPlace() throws {
    let file = try Graft.scratch().appending(path: "prompts.jsonl")
    try Data("{\"prompt\": \"The cat\"}\n\n{\"prompt\": \"\"}\n".utf8).write(to: file)
    let result = try generate("--data", file.path)
    #expect(result.code == 65 && result.complaint.hasPrefix("error: \(file.path):3: the prompt has no tokens"), "\(result.errors)")
  }

  @Test func settingsWithoutEffectAreSaid() throws {
    #expect(try generate("--prompt", "The cat", "--top-p", "0.9").errors.contains("--top-p without effect at temperature 0"))
    #expect(try generate("--prompt", "The cat", "--top-p", "0.9", "--temperature", "1").errors.isEmpty)
  }
}
