import Foundation
import GraftTestSupport
import Testing

/// Requests beyond the machine's means, and signals at any moment: a line and an exit code, never a trap.
@Suite struct LimitTests {
  private func recipe(_ text: String) throws -> String {
    let file = try Graft.scratch().appending(path: "r.yaml")
    try Data(text.utf8).write(to: file)
    return file.path
  }

  private func run(_ arguments: [String], limit: String) throws -> Graft.Result {
    let process = try Graft.process(arguments)
    var shell = try #require(process.arguments)
    shell[1] = limit + "; " + shell[1]
    process.arguments = shell
    return try Program(running: process)
  }

  @Test func threadsHaveABound() throws {
    let cores = ProcessInfo.processInfo.activeProcessorCount
    let data = try TinyModel.dataPath
    let model = try TinyModel.path
    func eval(_ threads: String) throws -> Graft.Result { try Graft.run("eval", "--model", model, "--data", data, "--threads", threads) }
    for threads in ["0", String(max(16, 4 * cores) + 1), "100000000000"] {
      let result = try eval(threads)
      #expect(result.code == 64 && result.errors.contains("--threads"), "\(threads)")
    }
    let many = try eval(String(max(16, 4 * cores)))
    #expect(many.code == 0 && (many.errors.contains("more than the \(cores) cores") || max(16, 4 * cores) <= cores))
    #expect(try eval("1").output == many.output)
  }

  @Test func memoryThatCannotBeHadIsRefusedBeforeItIsTaken() throws {
    let file = try recipe(try TinyModel.recipe())
    let output = try Graft.scratch().path + "/run"
    let rank = try run(["train", file, "method.r=1000000", "--output", output, "--quiet"], limit: "ulimit -v 2000000")
    #expect(rank.code == 71 && rank.complaint.contains("lower method.r") && rank.complaint.contains("are available"), "\(rank.errors)")
    #expect(!FileManager.default.fileExists(atPath: output))
    let texts = (0..<16_000).map { "{\"text\": \"\(String(repeating: "word \($0) ", count: 12))\"}" }.joined(separator: "\n")
    let data = try Graft.scratch().appending(path: "texts.jsonl")
    try Data(texts.utf8).write(to: data)
    let batch = try run(
      ["train", file, "data.train=\(data.path)", "training.batch_size=100000", "data.packing=false", "--output", output, "--quiet"],
      limit: "ulimit -v 1200000")
    #expect(batch.code == 71 && batch.complaint.contains("batch_size"), "\(batch.errors)")
  }

  /// Memory that no estimate foresaw ends with a line, too.
  @Test func exhaustedMemoryIsALine() throws {
    let model = try TinyModel.path
    let result = try run(
      ["bench", "--model", model, "--batch-size", "4096", "--sequence-length", "128", "--steps", "1", "--warmup", "0", "--threads", "1"],
      limit: "ulimit -v 900000")
    #expect(
      result.code == 71 && result.complaint.hasPrefix("error: out of memory: ") && result.complaint.contains("were asked for"),
      "\(result.code) \(result.errors)")
  }

  @Test func epochsWhoseStepsCannotBeCountedAreRefused() throws {
    let file = try recipe(
      try TinyModel.recipe().replacingOccurrences(of: "max_steps: 6", with: "num_epochs: 2.0e9").replacingOccurrences(
        of: "max_length: 64", with: "packing: false"))
    let result = try Graft.run("train", file, "--output", try Graft.scratch().path + "/run")
    #expect(result.code == 64 && result.complaint.contains("training.num_epochs: 2000000000.0 epochs of 2 steps"), "\(result.errors)")
  }

  @Test func largeCountsThatFitTheDataTrain() throws {
    let file = try recipe(try TinyModel.recipe())
    let result = try Graft.run(
      "train", file, "training.batch_size=2147483647", "training.gradient_accumulation_steps=2147483647", "data.max_length=2147483647",
      "training.max_steps=2",
      "--output", try Graft.scratch().path + "/run")
    #expect(result.code == 0, "\(result.errors)")
  }

  /// The first signal is answered at once, the second ends; what was done is kept.
  @Test(arguments: [SIGINT, SIGTERM]) func signalStopsAfterTheStepAndSaysSo(_ signal: Int32) throws {
    let file = try recipe(try TinyModel.recipe())
    let output = try Graft.scratch().path + "/run"
    let process = try Graft.process(["train", file, "training.max_steps=1000000", "training.save_steps=null", "--output", output])
    let errors = Pipe()
    process.standardError = errors
    try Graft.start(process)
    while (try? String(contentsOfFile: output + "/metrics.jsonl", encoding: .utf8))?.isEmpty ?? true, process.isRunning { usleep(5_000) }
    kill(process.processIdentifier, signal)
    let text = String(decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 75 && text.contains("stopping after this step; again to abandon"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: output + "/checkpoints").count == 1)
  }

  /// While a recipe's data is being read there is nothing to save.
  @Test func signalWhileLoadingEndsAtOnce() throws {
    let data = try Graft.scratch().appending(path: "texts.jsonl")
    try Data(Array(repeating: "{\"text\": \"a text of some words that take a while to read\"}\n", count: 200_000).joined().utf8).write(to: data)
    let file = try recipe(try TinyModel.recipe())
    let output = try Graft.scratch().path + "/run"
    let process = try Graft.process(["train", file, "data.train=\(data.path)", "--output", output, "--quiet"])
    process.standardError = FileHandle.nullDevice
    try Graft.start(process)
    usleep(300_000)
    kill(process.processIdentifier, SIGTERM)
    process.waitUntilExit()
    #expect(process.terminationStatus == 75 && process.terminationReason == .exit)
    #expect(!FileManager.default.fileExists(atPath: output))
  }

  /// A divergence keeps the state before it; a rate that throws the weights out of all bounds is no quiet success.
  @Test func divergenceKeepsTheLastGoodStateAndOverflowIsSaid() throws {
    let file = try recipe(try TinyModel.recipe())
    let output = try Graft.scratch().path
    let diverged = try Graft.run(
      "train", file, "training.learning_rate=1e18", "training.max_grad_norm=null", "training.save_steps=null", "training.optimizer=sgd",
      "training.lr_scheduler=constant",
      "--output", output + "/a")
    let overflowed = try Graft.run("train", file, "training.learning_rate=1e30", "method={peft_type: FULL}", "--output", output + "/b")
    for result in [diverged, overflowed] {
      let isSaid = result.code == 0 ? result.errors.contains("training has overflowed: ") : result.code == 65
      #expect(isSaid && !result.errors.contains("Fatal"), "\(result.code) \(result.errors)")
    }
    if diverged.code == 65, let kept = diverged.complaint.range(of: "is kept in ") {
      let path = diverged.complaint[kept.upperBound...].prefix { $0 != "," }
      #expect(FileManager.default.fileExists(atPath: path + "/adapter.h5"))
    }
  }
}
