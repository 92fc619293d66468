import Foundation
import GraftJSON
import Testing

/// A run directory that is in use: by another run, by another process, by a run that was cut short.
@Suite struct RunDirectoryTests {
  private func start(_ changes: String = "") throws -> (recipe: String, run: String) {
    let folder = try Graft.scratch()
    let file = folder.appending(path: "r.yaml")
    try Data((try TinyModel.recipe(changes)).utf8).write(to: file)
    return (file.path, folder.appending(path: "run").path)
  }

  private func train(_ arguments: String...) throws -> Graft.Result { try Graft.run(["train"] + arguments) }

  private func steps(in run: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: run + "/checkpoints")) ?? []).sorted()
  }

  private func json(_ path: String) throws -> JSON { try JSON(parsing: Data(contentsOf: URL(fileURLWithPath: path))) }

  /// The lines of `metrics.jsonl` without what a clock says.
  private func metrics(_ run: String) throws -> [JSON] {
    try String(contentsOfFile: run + "/metrics.jsonl", encoding: .utf8).split(separator: "\n").map {
      var line = try JSON(parsing: String($0))
      for clock in ["elapsed_seconds", "tokens_per_second"] { line[clock] = nil }
      return line
    }
  }

  @Test func usedDirectoryIsRefusedUnlessItIsToBeReplaced() throws {
    let (recipe, run) = try start()
    try #require(try train(recipe, "--output", run).code == 0)
    let before = try Data(contentsOf: URL(fileURLWithPath: run + "/adapter.h5"))
    let again = try train(recipe, "training.seed=9", "--output", run)
    #expect(again.code == 73 && again.complaint.contains("holds a run already") && again.complaint.contains("--overwrite"))
    #expect(try Data(contentsOf: URL(fileURLWithPath: run + "/adapter.h5")) == before && steps(in: run) == ["step-3", "step-6"])

    // Nothing is removed before everything was read.
    let broken = try train(recipe, "data.train=nowhere.jsonl", "--output", run, "--overwrite")
    #expect(broken.code == 66 && steps(in: run) == ["step-3", "step-6"])
    let note = run + "/notes.txt"
    try Data("mine".utf8).write(to: URL(fileURLWithPath: note))
    let foreign = try train(recipe, "--output", run, "--overwrite")
    #expect(foreign.code == 73 && foreign.complaint.contains("notes.txt") && FileManager.default.fileExists(atPath: run + "/adapter.h5"))
    try FileManager.default.removeItem(atPath: note)
    let replaced = try train(recipe, "training.seed=9", "training.max_steps=4", "--output", run, "--overwrite")
    #expect(replaced.code == 0 && steps(in: run) == ["step-3", "step-4"])
    #expect(try train(recipe, "--output", run, "--overwrite", "--resume").code == 64)
  }

  @Test func emptyDirectoryIsNewAndOthersAreLeftAlone() throws {
    let (recipe, run) = try start()
    let folder = try Graft.scratch().path
    #expect(try train(recipe, "--output", folder).code == 0)
    let model = try train(recipe, "--output", try TinyModel.path)
    #expect(model.code == 73 && model.complaint.contains("holds a model"))
    try #require(try train(recipe, "--output", run).code == 0)
    let comparison = try Graft.run(
      "compare", recipe, "methods=[{name: a, method: {peft_type: IA3}}]", "data.eval=\(try TinyModel.dataPath)", "--output", run)
    #expect(comparison.code == 73 && comparison.complaint.contains("holds a run"))
  }

  @Test func onlyTheSameRunGoesOn() throws {
    let (recipe, run) = try start()
    try #require(try train(recipe, "--output", run).code == 0)
    try FileManager.default.removeItem(atPath: run + "/summary.json")
    let data = try Graft.scratch().appending(path: "data.jsonl")
    try Data((TinyModel.data + "{\"prompt\": \"x\", \"completion\": \" y\"}\n").utf8).write(to: data)
    for (change, named) in [
      ("training.learning_rate=0.1", "training.learning_rate is 0.1 instead of 0.01"),
      ("training.batch_size=3", "training.batch_size is 3 instead of 2"),
      ("training.seed=4", "training.seed is 4 instead of 0"), ("data.max_length=32", "data.max_length is 32 instead of 64"),
      ("training.optimizer=sgd", "training.optimizer"), ("method.lora_alpha=7", "method.lora_alpha is 7 instead of not given"),
      ("method.lora_dropout=0.1", "method.lora_dropout"), ("data.train=\(data.path)", "data.train"),
      ("model.path=\(try TinyModel.otherPath)", "model: weights' SHA-256"),
    ] {
      let result = try train(recipe, change, "--output", run, "--resume")
      #expect(
        result.code == 73 && result.complaint.contains("holds another run: ") && result.complaint.contains(named), "\(change): \(result.errors)")
    }
    // The examples themselves, not only their file's name.
    let moved = try Graft.scratch()
    let (_, second) = try start()
    let file = moved.appending(path: "data.jsonl").path
    try Data(TinyModel.data.utf8).write(to: URL(fileURLWithPath: file))
    try #require(try train(recipe, "data.train=\(file)", "--output", second).code == 0)
    try FileManager.default.copyItem(at: data, to: moved.appending(path: "other"))
    try Data(contentsOf: data).write(to: URL(fileURLWithPath: file))
    let changed = try train(recipe, "data.train=\(file)", "training.max_steps=9", "--output", second, "--resume")
    #expect(changed.code == 73 && changed.complaint.contains("data.train holds other examples"))

    let longer = try train(
      recipe, "training.max_steps=8", "training.logging_steps=4", "training.save_steps=2", "report.html=false", "--output", run, "--resume")
    #expect(longer.code == 0 && longer.errors.contains("going on from step 6"))
    #expect(longer.errors.contains("the run has 8 steps now instead of 6; the learning rate goes on"))
    #expect(try json(run + "/summary.json")["steps"]?.int == 8)
  }

  @Test func resumingWithoutACheckpointOrWithNothingToDoSaysSo() throws {
    let (recipe, run) = try start()
    let first = try train(recipe, "--output", run, "--resume")
    #expect(first.code == 0 && first.errors.contains("no checkpoint to go on from; starting from the beginning"))
    let summary = try json(run + "/summary.json")
    let done = try train(recipe, "--output", run, "--resume")
    #expect(done.code == 0 && done.errors.contains("the run is finished after 6 steps"))
    let fewer = try train(recipe, "training.max_steps=2", "--output", run, "--resume")
    #expect(fewer.code == 0 && fewer.errors.contains("finished after 6 steps, and 2 are asked for"))
    #expect(try json(run + "/summary.json") == summary)
    // A run that was cut short after more steps than are asked for now ends with what it has.
    for name in ["/summary.json", "/adapter.h5"] { try FileManager.default.removeItem(atPath: run + name) }
    let short = try train(recipe, "training.max_steps=2", "--output", run, "--resume")
    #expect(short.code == 0 && short.errors.contains("the checkpoint has 6 steps, and 2 are asked for"))
    #expect(FileManager.default.fileExists(atPath: run + "/adapter.h5"))
  }

  /// A damaged checkpoint is passed over by name, and its place is taken by a good one.
  @Test func resumingWalksBackToTheNewestThatReads() throws {
    let (recipe, run) = try start("report: {tensorboard: true}")
    try #require(try train(recipe, "--output", run).code == 0)
    let expected = try metrics(run)
    let adapter = try Data(contentsOf: URL(fileURLWithPath: run + "/adapter.h5"))
    for name in ["/summary.json", "/adapter.h5"] { try FileManager.default.removeItem(atPath: run + name) }
    try Data("damaged".utf8).write(to: URL(fileURLWithPath: run + "/checkpoints/step-6/adapter.h5"))
    try FileManager.default.createDirectory(atPath: run + "/checkpoints/step-9", withIntermediateDirectories: true)
    let result = try train(recipe, "--output", run, "--resume")
    try #require(result.code == 0, "\(result.errors)")
    #expect(
      result.errors.contains("passed over the checkpoint step-9, which cannot be read") && result.errors.contains("passed over the checkpoint step-6")
    )
    #expect(result.errors.contains("going on from step 3"))
    #expect(try metrics(run) == expected && steps(in: run) == ["step-3", "step-6"])
    #expect(try Data(contentsOf: URL(fileURLWithPath: run + "/adapter.h5")) == adapter)
    // Nothing reads: from the beginning.
    for step in steps(in: run) { try Data().write(to: URL(fileURLWithPath: run + "/checkpoints/\(step)/adapter.h5")) }
    try FileManager.default.removeItem(atPath: run + "/summary.json")
    let anew = try train(recipe, "--output", run, "--resume")
    #expect(anew.code == 0 && anew.errors.contains("starting from the beginning"))
    #expect(try metrics(run) == expected && steps(in: run) == ["step-3", "step-6"])
  }

  @Test func secondProcessInTheSameDirectoryIsRefused() throws {
    let (recipe, run) = try start()
    let process = try Graft.process(["train", recipe, "training.max_steps=100000", "--output", run, "--quiet"])
    process.standardError = FileHandle.nullDevice
    try Graft.start(process)
    while !FileManager.default.fileExists(atPath: run + "/checkpoints"), process.isRunning { usleep(10_000) }
    let second = try train(recipe, "training.max_steps=100000", "--output", run, "--resume")
    #expect(second.code == 73 && second.complaint.contains("another process is writing here"))
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    let third = try train(recipe, "training.max_steps=2", "--output", run, "--resume")
    #expect(third.code == 0, "\(third.errors)")
  }

  @Test func reportReproducesBesideTheRun() throws {
    let (recipe, run) = try start()
    try #require(try train(recipe, "--output", run).code == 0)
    let report = try String(contentsOfFile: run + "/report.html", encoding: .utf8)
    #expect(report.contains("graft train \(run)/recipe.yaml --output \(run)-again"))
  }
}
