import Foundation
import GraftJSON
import Testing

@Suite struct MemoryTests {
  /// Held-out examples and the answers to them, 183 of each, fit into little more than what training takes without them.
  @Test func evaluationTakesWhatTrainingTakes() throws {
    let folder = try Graft.scratch()
    func peak(_ name: String, _ settings: String...) throws -> Double {
      let output = folder.appending(path: name)
      let result = try Graft.run(["train", "Recipes/quickstart.yaml", "--output", output.path, "--quiet", "training.max_steps=30"] + settings)
      #expect(result.code == 0, "\(result.errors)")
      return try #require(try JSON(parsing: Data(contentsOf: output.appending(path: "summary.json")))["peak_memory_bytes"]?.double)
    }
    let alone = try peak("alone", "data.eval=null", "training.eval_steps=null")
    let evaluating = try peak("evaluating", "training.eval_steps=10")
    #expect(evaluating < 1.35 * alone, "\(evaluating / 1e6) MB with an evaluation, \(alone / 1e6) MB without")
  }
}
