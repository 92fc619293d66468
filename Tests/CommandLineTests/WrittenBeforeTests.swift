import Foundation
import GraftCheckpoints
import GraftJSON
import GraftTensors
import GraftTestSupport
import Testing

/// Adapters and training checkpoints of an earlier version, made by `Scripts/make-written-fixtures`.
@Suite("What was written before") struct WrittenBeforeTests {
  private static let folder = "Tests/CommandLineTests/Fixtures/written"
  private static let data = folder + "/data.jsonl"
  private static let runs = ["adalora", "lora", "p-tuning"]
  private static let adapters = [
    "adaption", "compacter", "dora", "ia3", "loha", "lokr", "norms", "oft", "prefix", "prompt", "tokens", "vera",
  ]

  /// The log-probabilities of every token of the data, with an adapter.
  private func scores(_ adapter: String) throws -> [Double] {
    let result = try Graft.run("score", "--model", "Data/models/seedling", "--adapter", adapter, "--data", Self.data, "--quiet")
    try #require(result.code == 0, "\(result.errors)")
    return try Self.numbers(result.output)
  }

  private static func numbers(_ lines: String) throws -> [Double] {
    func numbers(_ json: JSON) -> [Double] {
      json.double.map { [$0] } ?? (json.array ?? []).flatMap(numbers) + (json.object ?? [:]).flatMap { numbers($0.value) }
    }
    return try lines.split(separator: "\n").flatMap { numbers(try JSON(parsing: String($0))) }
  }

  private func expectScores(_ found: [Double], of name: String) throws {
    let stored = try String(contentsOf: Graft.root.appending(path: "\(Self.folder)/\(name)/scores.jsonl"), encoding: .utf8)
    let expected = try Self.numbers(stored)
    try #require(found.count == expected.count && found.count > 20)
    for (value, reference) in zip(found, expected) { #expect(abs(value - reference) <= 1e-4 * max(1, abs(reference)), "\(name)") }
  }

  @Test("is read: an adapter scores as it did", arguments: adapters + runs)
  func isRead(name: String) throws {
    let file = Self.runs.contains(name) ? "whole.h5" : "adapter.h5"
    try expectScores(scores("\(Self.folder)/\(name)/\(file)"), of: name)
  }

  @Test("is resumed: a run that goes on from its checkpoint ends as the one that never stopped", arguments: runs)
  func isResumed(name: String) throws {
    let run = try Graft.scratch().appending(path: name)
    try FileManager.default.copyItem(at: Graft.root.appending(path: "\(Self.folder)/\(name)"), to: run)
    let result = try Graft.run("train", run.path + "/recipe.yaml", "--output", run.path, "--resume")
    try #require(result.code == 0, "\(result.errors)")
    #expect((result.output + result.errors).contains("going on from step 2"))
    try expectScores(scores(run.path + "/adapter.h5"), of: name)
    let (whole, resumed) = (try AdapterFile.read(run.path + "/whole.h5").adapter(), try AdapterFile.read(run.path + "/adapter.h5").adapter())
    #expect(resumed.configuration == whole.configuration)
    #expect(resumed.tensors.map(\.name) == whole.tensors.map(\.name))
    for (found, expected) in zip(resumed.tensors, whole.tensors) {
      try #require(found.tensor.shape == expected.tensor.shape, "\(found.name)")
      // AdaLoRA may keep nothing of a layer.
      #expect(found.tensor.elementCount == 0 || largestDifference(found.tensor.values, expected.tensor.values) < 1e-4, "\(found.name)")
    }
  }
}
