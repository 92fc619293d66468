import Foundation
import GraftJSON
import Testing

/// Runs whose data is not in memory.
@Suite struct LargeDataTests {
  private let folder: URL

  init() throws { folder = try Graft.scratch() }

  /// Trains, with a cache of this test's own.
  private func train(_ recipe: String, _ name: String, _ options: String...) throws -> (run: URL, errors: String) {
    let file = try folder.write(recipe, "\(name).yaml")
    let run = folder.appending(path: name)
    let process = try Graft.process(["train", file, "--output", run.path] + options, setUp: "export GRAFT_CACHE='\(folder.path)/cache'")
    let result = try Graft.Result(running: process)
    try #require(result.code == 0, "\(result.errors)")
    return (run, result.errors)
  }

  private func content(of run: URL) throws -> String {
    let json = try JSON(parsing: try Graft.run("inspect", run.path, "--json").output)
    return try #require(json["adapters"]?[0]?["content_sha256"]?.string)
  }

  private func recipe(_ data: String, _ settings: String) throws -> String {
    """
    model: {path: \(try TinyModel.path)}
    method: {peft_type: LORA, r: 4, target_modules: all-linear}
    data: {train: \(data), max_length: 32\(settings)}
    training: {max_steps: 6, batch_size: 2, save_steps: 3, logging_steps: 1, learning_rate: 1.0e-2}
    report: {html: false, tensorboard: false}
    """
  }

  @Test func aStreamedRunIsThatOfTheSameDataInMemory() throws {
    let lines = (0..<40).map { #"{"prompt": "ask \#($0)", "completion": " \#($0 * $0)"}"# }.joined(separator: "\n")
    let data = try folder.write(lines, "d.jsonl")
    let memory = try content(of: train(recipe(data, ", packing: false"), "memory").run)
    let streamed = try train(recipe(data, ", packing: false, streaming: true"), "streamed")
    #expect(try content(of: streamed.run) == memory)
    #expect(streamed.errors.contains("records are encoded as training comes to them"))
  }

  @Test func aStreamedRunGoesOnWhereItWas() throws {
    let lines = (0..<90).map { #"{"text": "\#(String(repeating: "line \($0) ", count: 1 + $0 % 7))"}"# }.joined(separator: "\n")
    let recipe = try recipe(folder.write(lines, "d.jsonl"), ", streaming: true")
    let whole = try train(recipe, "whole").run
    let cut = try train(recipe, "cut").run
    for name in ["adapter.h5", "checkpoints/step-6"] { try FileManager.default.removeItem(at: cut.appending(path: name)) }
    #expect(try content(of: train(recipe, "cut", "--resume").run) == content(of: whole))
  }

  @Test func streamingSaysWhatItNeeds() throws {
    let recipe = try recipe(TinyModel.dataPath, ", streaming: true").replacingOccurrences(of: "max_steps: 6", with: "num_epochs: 1")
    let result = try Graft.run("train", folder.write(recipe, "r.yaml"), "--output", folder.appending(path: "r").path)
    #expect(result.code == 64 && result.errors.contains("data.streaming: needs training.max_steps"), "\(result.errors)")
  }

  /// A file above the limit of what is held in memory: its examples are counted once, and the run is that of the same records in a smaller file.
  @Test func aLargeFileIsCountedOnceAndTrainsAsASmallOneDoes() throws {
    let records = (0..<64).map { #"{"prompt": "ask \#($0)", "completion": " \#($0 * $0)""# }
    let small = try folder.write(records.map { $0 + "}" }.joined(separator: "\n"), "small.jsonl")
    let padding = String(repeating: "x", count: 300_000)
    let large = try folder.write(records.map { $0 + ", \"unread\": \"\(padding)\"}" }.joined(separator: "\n"), "large.jsonl")
    func epochs(_ data: String) throws -> String {
      try recipe(data, "").replacingOccurrences(of: "max_steps: 6, batch_size: 2, save_steps: 3", with: "num_epochs: 2, batch_size: 1")
    }
    let expected = try content(of: train(epochs(small), "small").run)
    let first = try train(epochs(large), "first")
    #expect(try content(of: first.run) == expected && first.errors.contains("encoding the records: 100 %"))
    let second = try train(epochs(large), "second")
    #expect(try content(of: second.run) == expected && !second.errors.contains("encoding the records"))
  }
}
