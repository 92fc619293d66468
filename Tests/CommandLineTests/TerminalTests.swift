import Foundation
import GraftTestSupport
import Testing

/// A run on terminals of several widths, and without one.
@Suite struct TerminalTests {
  /// The output of a short run on a terminal so wide.
  private func run(columns: Int, environment: String = "") throws -> String {
    let folder = try Graft.scratch()
    let recipe = try folder.write(try TinyModel.recipe().replacing("save_steps: 3, ", with: ""), "r.yaml")
    let terminal = "stty cols \(columns); export TERM=xterm; unset NO_COLOR; \(environment)"
    let command = "\(terminal) exec '\(try Graft.program.path)' train \(recipe) --output \(folder.path)/run"
    return try Program("script", "-qec", command, "/dev/null").output
  }

  /// The texts that a line was given, one after another, without colours.
  private func drawings(_ output: String) -> [String] {
    output.replacing(/\u{1B}\[[0-9;]*[mK]/, with: "").split(whereSeparator: { $0.isNewline || $0 == "\r" }).map(String.init)
  }

  @Test(arguments: [40, 80, 200]) func barsFitAndLossesStay(columns: Int) throws {
    let output = try run(columns: columns)
    let drawings = drawings(output)
    let bars = drawings.filter { $0.contains("/6  loss") }
    #expect(!bars.isEmpty && bars.allSatisfy { $0.count < columns }, "\(bars)")
    let losses = drawings.filter { $0.hasPrefix("step ") && $0.contains("loss") }
    #expect(losses.count == 6 && losses.allSatisfy { $0.count < columns }, "\(losses)")
    // The first line names the files that are read.
    #expect(drawings.first?.hasPrefix("reading ") == true)
  }

  @Test func coloursCanBeLeftOut() throws {
    #expect(try run(columns: 80).contains("\u{1B}[32m"))
    #expect(try !run(columns: 80, environment: "export NO_COLOR=1;").contains(/\u{1B}\[[0-9]+m/))
  }

  @Test func aPipeIsQuiet() throws {
    let folder = try Graft.scratch()
    let recipe = try folder.write(try TinyModel.recipe(), "r.yaml")
    let result = try Graft.run("train", recipe, "--output", folder.appending(path: "run").path)
    #expect(result.output.isEmpty && !result.errors.contains("\r") && !result.errors.contains("\u{1B}"))
    #expect(result.errors.hasPrefix("reading ") && result.errors.split(separator: "\n").count { $0.hasPrefix("step ") } == 6)
  }

  @Test func aNameOfTheHubIsAnswered() throws {
    let folder = try Graft.scratch()
    let cache = "HF_HUB_CACHE=\(folder.path)/hub"
    func train(_ name: String) throws -> Program {
      try Program(
        "env", cache, try Graft.program.path, "train", "--model", name, "--data", try TinyModel.dataPath, "training.max_steps=1", "--output",
        folder.appending(path: "run").path)
    }
    let missing = try train("Qwen/Qwen2.5-0.5B")
    #expect(missing.code == 66 && missing.complaint.contains("download it with: hf download Qwen/Qwen2.5-0.5B"), "\(missing.errors)")
    let snapshot = folder.appending(path: "hub/models--me--tiny/snapshots/abc")
    try FileManager.default.createDirectory(at: snapshot.deletingLastPathComponent(), withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: try TinyModel.path, toPath: snapshot.path)
    let found = try train("me/tiny")
    #expect(found.code == 0 && found.errors.contains("note: me/tiny is taken from the hub's cache: \(snapshot.path)"), "\(found.errors)")
  }
}
