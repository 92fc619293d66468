import Foundation
import GraftJSON
import GraftTestSupport
import Testing

/// A program of somebody else's that imports `Graft`, of whose package it is no part: see `Tests/UserProgram`.
@Suite struct UserProgramTests {
  private func run(_ data: String, in directory: TemporaryDirectory) throws -> Program {
    try directory.write(data.utf8, to: "dialogue.jsonl")
    let process = Process()
    process.executableURL = try Graft.program.deletingLastPathComponent().appending(path: "UserProgram")
    process.arguments = [Repository.file("Data/models/seedling").path, directory.path]
    process.currentDirectoryURL = Repository.root
    return try Program(running: process)
  }

  @Test func `its method, format and loss train by a recipe, and its adapter is read back`() throws {
    let directory = try TemporaryDirectory()
    let program = try run(
      """
      {"ask": "What color is grass?", "reply": "green"}
      {"ask": "What color is snow?", "reply": "white"}
      {"ask": "What color is the sky?", "reply": "blue"}

      """, in: directory)
    #expect(program.code == 0, "\(program.complaint)")
    let report = try JSON(parsing: program.output)
    let summary = try #require(report["summary"])
    let losses = try #require(report["losses"]).doubles
    let before = try #require(summary["initial_eval_loss"]?.double)
    let after = try #require(summary["eval_loss"]?.double)
    // The first step reads all examples with untouched weights.
    #expect(losses.count == 12 && abs(losses[0] - before / 2) < 1e-4 * before)
    #expect(after < 0.8 * before)
    #expect(report["stored"] == "CAPPED_LOW_RANK" && report["is_taken"] == true)
    // A rank of 2 on every linear layer, and nothing else.
    #expect(summary["method"] == "CAPPED_LOW_RANK" && (summary["trainable_parameters"]?.int ?? 0) > 0)
    #expect(abs((report["read_back"]?["loss"]?.double ?? .nan) - after) < 1e-5)
    #expect(try String(contentsOfFile: directory.file("run/recipe.yaml"), encoding: .utf8).contains("loss: halved"))
  }

  @Test func `what its format refuses is told with file and line`() throws {
    let directory = try TemporaryDirectory()
    let program = try run(#"{"ask": "a", "reply": "b"}"# + "\n" + #"{"ask": "a", "reply": 3}"# + "\n", in: directory)
    #expect(program.code != 0 && program.errors.contains("dialogue.jsonl:2: the record cannot be read as dialogue: the reply is no text"))
  }
}
