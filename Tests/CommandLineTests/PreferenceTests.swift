import Foundation
import GraftJSON
import Testing

/// Preferences through the program, where the reference's log-probabilities are kept from run to run.
@Suite struct PreferenceTests {
  private let folder: URL

  init() throws { folder = try Graft.scratch() }

  private func train(_ recipe: String, _ name: String, _ options: String...) throws -> (lines: [JSON], errors: String) {
    let run = folder.appending(path: name)
    let process = try Graft.process(["train", recipe, "--output", run.path] + options, setUp: "export GRAFT_CACHE='\(folder.path)/cache'")
    let result = try Graft.Result(running: process)
    try #require(result.code == 0, "\(result.errors)")
    let log = try String(contentsOf: run.appending(path: "metrics.jsonl"), encoding: .utf8)
    return (try log.split(separator: "\n").map { try JSON(parsing: String($0)) }, result.errors)
  }

  private func figures(_ lines: [JSON]) -> [[String]] {
    lines.map { line in ["loss", "eval_loss", "rewards/margins", "eval_rewards/chosen", "kl"].map { line[$0]?.serialized() ?? "" } }
  }

  @Test func keptReferencesAreThoseThatWereComputed() throws {
    let lines = (0..<8).map { #"{"prompt": "ask \#($0)", "chosen": " \#($0 + 1)", "rejected": " \#($0 + 2) or so"}"# }.joined(separator: "\n")
    let data = try folder.write(lines, "d.jsonl")
    let recipe = try folder.write(
      """
      model: {path: \(try TinyModel.path)}
      task: preference
      method: {peft_type: LORA, r: 4, target_modules: all-linear}
      data: {train: \(data), eval: \(data), max_length: 32}
      training: {max_steps: 4, batch_size: 2, logging_steps: 1, learning_rate: 1.0e-2}
      report: {html: false, tensorboard: false}
      """, "r.yaml")
    let first = try train(recipe, "first")
    let second = try train(recipe, "second", "--threads", "1")
    #expect(first.errors.contains("the reference's log-probabilities were computed for"))
    #expect(second.errors.contains("the reference's log-probabilities were read from the cache for"))
    #expect(figures(first.lines) == figures(second.lines) && first.lines.count > 4)
    // A damaged file is made again.
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path + "/cache") where name.hasPrefix("reference-") {
      let file = folder.appending(path: "cache/" + name)
      var bytes = try Data(contentsOf: file)
      bytes[3] ^= 1
      try bytes.write(to: file)
    }
    let third = try train(recipe, "third")
    #expect(third.errors.contains("were computed for") && figures(third.lines) == figures(first.lines))
  }
}
