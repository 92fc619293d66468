import Foundation
import Testing

/// Each of these is one clear line and the right exit code, and leaves nothing half-written.
@Suite struct BadInputTests {
  private func train(_ recipe: String, file: String = "r.yaml", limit: Int? = nil, output: String? = nil) throws -> (Graft.Result, URL) {
    let folder = try Graft.scratch()
    let path = folder.appending(path: file)
    try Data(recipe.utf8).write(to: path)
    return (try Graft.run("train", path.path, "--output", output ?? folder.appending(path: "run").path, fileSizeLimit: limit), folder)
  }

  private func expect(_ result: Graft.Result, _ code: Int32, _ words: String...) {
    #expect(result.code == code, "\(result.errors)")
    #expect(result.complaint.hasPrefix("error: "))
    #expect(result.errors.split(separator: "\n").count { $0.hasPrefix("error: ") } == 1)
    for word in words { #expect(result.complaint.contains(word), "\(result.complaint)") }
  }

  @Test func unknownKeyNamesItsLineAndTheNearest() throws {
    let (result, folder) = try train(try TinyModel.recipe().replacingOccurrences(of: "batch_size", with: "batch_sise"))
    expect(result, 64, "r.yaml:4", "batch_sise", "batch_size")
    #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "run").path))
  }

  @Test func wrongTypeIsRefused() throws {
    expect(try train(try TinyModel.recipe().replacingOccurrences(of: "max_steps: 6", with: "max_steps: many")).0, 64, "max_steps", "many")
  }

  @Test func missingFilesAreNoInput() throws {
    expect(try Graft.run("train", "no-such-recipe.yaml"), 66, "no-such-recipe.yaml")
    expect(try train(try TinyModel.recipe(data: "no-such-data.jsonl")).0, 66, "no-such-data.jsonl")
    expect(try Graft.run("score", "--model", "no-such-model", "--data", try TinyModel.dataPath), 66, "no-such-model")
  }

  @Test func badLineOfDataIsNumbered() throws {
    let file = try Graft.scratch().appending(path: "bad.jsonl")
    try Data("{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": \n".utf8).write(to: file)
    expect(try train(try TinyModel.recipe(data: file.path)).0, 65, "bad.jsonl:2")
  }

  @Test func emptyDataIsRefused() throws {
    let file = try Graft.scratch().appending(path: "empty.jsonl")
    try Data().write(to: file)
    expect(try train(try TinyModel.recipe(data: file.path)).0, 65, "empty.jsonl")
  }

  @Test func textThatIsNotUTF8IsRefused() throws {
    let file = try Graft.scratch().appending(path: "latin.jsonl")
    try Data([0x7B, 0x22, 0x74, 0xE9, 0x22, 0x7D, 0x0A]).write(to: file)
    expect(try train(try TinyModel.recipe(data: file.path)).0, 65, "latin.jsonl:1", "UTF-8")
  }

  @Test func longSamplesAreCutAndSaid() throws {
    let file = try Graft.scratch().appending(path: "long.jsonl")
    let long = Array(repeating: "word", count: 300).joined(separator: " ")
    try Data("{\"prompt\": \"a\", \"completion\": \" \(long)\"}\n{\"prompt\": \"a\", \"completion\": \" b\"}\n".utf8).write(to: file)
    let (result, _) = try train(try TinyModel.recipe(data: file.path))
    #expect(result.code == 0)
    #expect(result.errors.contains("1 of 2 examples are longer than max_length 64"))
  }

  @Test func targetThatMatchesNothingListsWhatThereIs() throws {
    expect(try train(try TinyModel.recipe(targets: "[q_porj]")).0, 64, "q_porj", "did you mean q_proj?", "down_proj")
  }

  @Test func adapterForAnotherBaseIsRefusedUnlessForced() throws {
    let (trained, folder) = try train(try TinyModel.recipe())
    #expect(trained.code == 0, "\(trained.errors)")
    let run = folder.appending(path: "run").path
    expect(try Graft.run("score", "--model", try TinyModel.otherPath, "--adapter", run, "--data", try TinyModel.dataPath), 65, "another base model")
    #expect(try Graft.run("score", "--model", try TinyModel.otherPath, "--adapter", run, "--data", try TinyModel.dataPath, "--force").code == 0)
  }

  @Test func damagedWeightsAreRefused() throws {
    let folder = try Graft.scratch().appending(path: "model")
    try FileManager.default.copyItem(atPath: try TinyModel.path, toPath: folder.path)
    let weights = folder.appending(path: "model.safetensors")
    let whole = try Data(contentsOf: weights)

    try whole.prefix(whole.count / 2).write(to: weights)
    expect(try Graft.run("score", "--model", folder.path, "--data", try TinyModel.dataPath), 65, "model.safetensors")

    var huge = whole
    huge.replaceSubrange(0..<8, with: [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F])
    try huge.write(to: weights)
    expect(try Graft.run("score", "--model", folder.path, "--data", try TinyModel.dataPath), 65, "model.safetensors")

    var poisoned = whole
    poisoned.replaceSubrange(whole.count - 4..<whole.count, with: [0, 0, 0xC0, 0x7F])
    try poisoned.write(to: weights)
    expect(try Graft.run("score", "--model", folder.path, "--data", try TinyModel.dataPath), 65, "not finite", "model.")
    let (result, run) = try train(try TinyModel.recipe().replacingOccurrences(of: try TinyModel.path, with: folder.path))
    expect(result, 65, "not finite")
    #expect(!FileManager.default.fileExists(atPath: run.appending(path: "run/adapter.h5").path))
  }

  @Test func outputThatCannotBeCreated() throws {
    expect(try train(try TinyModel.recipe(), output: "/dev/null/run").0, 73, "/dev/null/run")
  }

  @Test func fullDiskLeavesNoHalfAdapter() throws {
    let (result, folder) = try train(try TinyModel.recipe("report: {html: false, tensorboard: false}"), limit: 16)
    expect(result, 74)
    let files = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
    #expect(!files.contains { $0.hasSuffix("adapter.h5") || $0.hasSuffix(".tmp") }, "\(files)")
  }

  @Test func tokenOutsideTheVocabularyIsRefused() throws {
    let file = try Graft.scratch().appending(path: "ids.jsonl")
    try Data("{\"ids\": [1, 99999]}\n".utf8).write(to: file)
    expect(try Graft.run("score", "--model", try TinyModel.path, "--data", file.path), 65, "99999")
  }
}
