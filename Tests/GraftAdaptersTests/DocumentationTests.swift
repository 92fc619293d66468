import Foundation
import GraftAdapters
import GraftCheckpoints
import GraftLayers
import GraftOptimizers
import GraftTensors
import GraftTestSupport
import Testing

/// What the documentation says of methods is what the code does.
@Suite struct DocumentationTests {
  @Test func `the table of methods is the catalogue's`() throws {
    #expect(try Repository.text("Documentation/Methods.md") == MethodCatalog.documentation)
    for name in MethodCatalog.builtIn.map({ $0.name }) { #expect(MethodCatalog.documentation.contains("| `\(name)` |")) }
  }

  @Test func `the guide's method is the one that is compiled here`() throws {
    let guide = try Repository.text("Documentation/AddAMethod.md")
    let block = try #require(guide.components(separatedBy: "```swift\n").dropFirst().first?.components(separatedBy: "```").first)
    #expect(block == (try Repository.text("Tests/GraftAdaptersTests/RankOneExample.swift")))
    #expect(block.split(separator: "\n", omittingEmptySubsequences: false).count < 100)
  }

  @Test func `the guide's method learns, is read back and folded in`() throws {
    let model = try makeTinyModel()
    let before = model.states()
    let delta = try Delta(RankOne(), on: model.catalog)
    #expect(largestDifference(model.states(), before) < 2e-6 && delta.parameterCount == 2 * (2 * 32 + 2 * 24 + 3 * 40))
    let optimizer = Optimizer(AdamW(), parameters: delta.parameters.map(\.parameter))
    var (first, gradients) = model.differentiate()
    for _ in 0..<20 {
      optimizer.step(gradients, learningRate: 0.01)
      gradients = model.differentiate().gradients
    }
    let adapted = model.states()
    let stored = try delta.stored(taskType: nil)
    #expect(model.differentiate().loss < first - 1e-2)
    let other = try makeTinyModel()
    _ = try Delta(RankOne(), on: other.catalog, from: stored.weights(from: "stored"))
    #expect(other.states() == adapted)
    try delta.merge()
    #expect(largestDifference(model.states(), adapted) < 2e-5)
  }

  @Test(arguments: [
    ("FULL", 2e-5), ("LORA", 2e-4), ("PREFIX_TUNING", 5e-3), ("PROMPT_TUNING", 1e-2), ("ADAPTER", 1e-3), ("IA3", 5e-3), ("ADAPTION_PROMPT", 5e-3),
    ("P_TUNING", 1e-3), ("LN_TUNING", 1e-3), ("BITFIT", 1e-3), ("ADALORA", 2e-3), ("VERA", 4e-3), ("LOHA", 1e-3), ("LOKR", 1e-3), ("OFT", 1e-3),
    ("TRAINABLE_TOKENS", 1e-3),
  ])
  func `every method has the learning rate that suits it`(_ name: String, _ rate: Double) throws {
    #expect(try #require(MethodCatalog.type(named: name)).defaultLearningRate == rate)
  }
}
