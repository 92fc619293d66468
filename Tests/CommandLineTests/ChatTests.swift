import Foundation
import GraftJSON
import Testing

/// `graft chat` in a pipe, with the shipped seedling and a tiny model that never ends by itself.
@Suite struct ChatTests {
  private static let seedling = "Data/models/seedling"

  private func chat(_ lines: [String], _ arguments: String..., model: String = seedling) throws -> Graft.Result {
    let file = try Graft.scratch().appending(path: "lines")
    try Data(lines.map { $0 + "\n" }.joined().utf8).write(to: file)
    return try Graft.run(["chat", "--model", model] + arguments, input: try FileHandle(forReadingFrom: file))
  }

  /// The answer that generate writes after a conversation in the seedling's template.
  private func completion(of conversation: String, _ arguments: String...) throws -> String {
    let result = try Graft.run(["generate", "--model", Self.seedling, "--prompt", conversation, "--max-new-tokens", "40"] + arguments)
    #expect(result.code == 0, "\(result.errors)")
    return String(result.output.dropLast())
  }

  private func message(_ role: String, _ text: String) -> String { "<|im_start|>\(role)\n\(text)<|im_end|>\n" }
  private let asking = "<|im_start|>assistant\n"

  @Test func everyTurnSeesTheOnesBefore() throws {
    let questions = ["What color is grass?", "And snow?"]
    let result = try chat([questions[0], "", questions[1], "/reset", questions[1], "/exit", "not read"], "--max-new-tokens", "40")
    #expect(result.code == 0)
    #expect(result.errors.isEmpty, "\(result.errors)")
    let first = try completion(of: message("user", questions[0]) + asking)
    let history = message("user", questions[0]) + message("assistant", first)
    let second = try completion(of: history + message("user", questions[1]) + asking)
    let alone = try completion(of: message("user", questions[1]) + asking)
    #expect(result.output == [first, second, alone].map { $0 + "\n" }.joined())
    #expect(!first.isEmpty && !second.isEmpty)
  }

  @Test func commandsAreDoneAndUnknownOnesSaid() throws {
    let file = try Graft.scratch().appending(path: "talk.jsonl")
    let question = "What color is grass?"
    let result = try chat(
      ["/resett", "/adapter no-such-file", "/temperature -1"], "--max-new-tokens", "40")
    #expect(result.output.isEmpty && result.errors.contains("/resett: there is no such command; did you mean /reset?"), "\(result.errors)")
    #expect(result.code == 64 && result.errors.contains("no-such-file: there is no such adapter"), "\(result.errors)")
    let saved = try chat(["/system Be brief.", question, "/save \(file.path)", "//slashed"], "--max-new-tokens", "40")
    #expect(saved.code == 0, "\(saved.errors)")
    let messages = try JSON(parsing: Data(contentsOf: file))["messages"]?.array ?? []
    #expect(messages.map { $0["role"]?.string } == ["system", "user", "assistant"] && messages[0]["content"]?.string == "Be brief.")
    #expect(messages[1]["content"]?.string == question && saved.output.hasPrefix((messages[2]["content"]?.string ?? "-") + "\n"))
    // A file that is there is not replaced.
    #expect(try chat(["/save \(file.path)"]).code == 73)
  }

  @Test func adaptersAreSwitchedAndCompared() throws {
    let adapter = try Graft.scratch().appending(path: "mine")
    let trained = try Graft.run(
      "train", "Recipes/quickstart.yaml", "training.max_steps=8", "training.learning_rate=1e-2", "--output", adapter.path, "data.eval=null",
      "training.eval_steps=null")
    #expect(trained.code == 0, "\(trained.errors)")
    let question = "What color is grass?"
    let base = try chat([question], "--max-new-tokens", "12").output
    let adapted = try chat([question], "--max-new-tokens", "12", "--adapter", adapter.path).output
    #expect(base != adapted)
    let switched = try chat(
      [question, "/reset", "/adapter \(adapter.path)", question, "/reset", "/base", question, "/reset", "/adapter mine", question],
      "--max-new-tokens", "12")
    #expect(switched.output == base + adapted + base + adapted, "\(switched.errors)")
    let both = try chat([question], "--max-new-tokens", "12", "--adapter", adapter.path, "--compare")
    #expect(both.output == "[base] " + base + "[mine] " + adapted, "\(both.errors)")
    #expect(try chat([question], "--compare").code == 64)
  }

  @Test func systemMessageComesFirst() throws {
    let result = try chat(["What color is grass?"], "--system", "Be brief.", "--max-new-tokens", "40")
    let expected = try completion(of: message("system", "Be brief.") + message("user", "What color is grass?") + asking)
    #expect(result.output == expected + "\n")
  }

  @Test func stopStringsAreNotShown() throws {
    let whole = try chat(["What color is grass?"]).output.dropLast()
    let stop = String(whole.dropFirst(whole.count / 2).prefix(3))
    let result = try chat(["What color is grass?"], "--stop", "no such text", "--stop", stop)
    let place = try #require(whole.range(of: stop))
    #expect(result.output == whole[..<place.lowerBound] + "\n")
  }

  @Test func sameSeedSameSample() throws {
    func sample(_ seed: String) throws -> String {
      try chat(["Tell me a story.", "Go on."], "--temperature", "1.2", "--top-k", "50", "--seed", seed, "--max-new-tokens", "30", "--quiet").output
    }
    let first = try sample("1")
    #expect(try sample("1") == first)
    #expect(try sample("2") != first)
  }

  @Test func modelWithoutATemplateSaysWhatToDo() throws {
    let folder = try Graft.scratch().appending(path: "model")
    try FileManager.default.copyItem(at: Graft.root.appending(path: Self.seedling), to: folder)
    let file = folder.appending(path: "tokenizer_config.json")
    let configuration = try JSON(parsing: Data(contentsOf: file))
    let kept = JSONObject((configuration.object ?? [:]).filter { $0.key != "chat_template" }.map { ($0.key, $0.value) })
    try Data(JSON.object(kept).serialized().utf8).write(to: file)
    let result = try chat(["hello"], model: folder.path)
    #expect(result.code == 65)
    #expect(result.output.isEmpty)
    #expect(result.complaint.hasPrefix("error: \(folder.path)") && result.complaint.contains("chat_template.jinja"), "\(result.errors)")
  }

  /// The tiny model has 128 positions.
  @Test func oldTurnsMakeRoomForNewOnes() throws {
    let line = "one two three four five six seven eight nine ten"
    let result = try chat(Array(repeating: line, count: 4), "--max-new-tokens", "32", model: try TinyModel.path)
    #expect(result.code == 0, "\(result.errors)")
    #expect(result.errors.contains("oldest messages were dropped"), "\(result.errors)")
    let long = Array(repeating: line, count: 20).joined(separator: " ")
    let refused = try chat([long], model: try TinyModel.path)
    #expect(refused.code == 65)
    #expect(refused.complaint.contains("128 positions"), "\(refused.errors)")
  }

  @Test func interruptEndsTheReply() throws {
    let (process, input, output) = try startLongReply()
    process.interrupt()
    try input.write(contentsOf: Data("/exit\n".utf8))
    let rest = try output.readToEnd() ?? Data()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    // Far fewer bytes than tokens were allowed.
    #expect(rest.last == UInt8(ascii: "\n") && rest.count < 10_000)
  }

  @Test func secondInterruptLeaves() throws {
    let (process, input, output) = try startLongReply()
    process.interrupt()
    Thread.sleep(forTimeInterval: 0.5)
    process.interrupt()
    #expect((try output.readToEnd() ?? Data()).count < 10_000)
    process.waitUntilExit()
    #expect(process.terminationStatus == 75)
    try input.close()
  }

  /// A chat in the middle of a reply of 20,000 tokens.
  private func startLongReply() throws -> (Process, input: FileHandle, output: FileHandle) {
    let folder = try Graft.scratch().appending(path: "model")
    try FileManager.default.copyItem(atPath: try TinyModel.path, toPath: folder.path)
    let file = folder.appending(path: "config.json")
    let configuration = try String(contentsOf: file, encoding: .utf8)
    let long = configuration.replacing(/"max_position_embeddings":\s*128/, with: "\"max_position_embeddings\": 100000")
    try #require(long != configuration)
    try Data(long.utf8).write(to: file)
    // No token ends the reply.
    try Data(#"{"eos_token_id": -1}"#.utf8).write(to: folder.appending(path: "generation_config.json"))
    let template = #"{"chat_template": "{% for message in messages %}{{ message['content'] }} {% endfor %}"}"#
    try Data(template.utf8).write(to: folder.appending(path: "tokenizer_config.json"))

    let input = Pipe()
    let output = Pipe()
    let process = try Graft.process(["chat", "--model", folder.path, "--max-new-tokens", "20000", "--temperature", "1", "--top-k", "200"])
    process.standardInput = input
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try Graft.start(process)
    try input.fileHandleForWriting.write(contentsOf: Data("hello\n".utf8))
    // More than a line break: the reply is being written.
    while output.fileHandleForReading.availableData.count < 2, process.isRunning {}
    return (process, input.fileHandleForWriting, output.fileHandleForReading)
  }
}
