#if os(Linux)
import Foundation
import GraftTestSupport
import Testing

/// A call that the system refuses ends in one error line and the exit code that tells what it was.
@Suite("failures of the system")
struct SystemFailureTests {
  /// Runs the program with its standard streams where the shell puts them.
  private func run(_ arguments: [String], setUp: String? = nil, environment: [String: String] = [:]) throws -> Graft.Result {
    let process = try Graft.process(arguments, setUp: setUp)
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    return try Program(running: process)
  }

  private func expectOneError(_ result: Graft.Result, _ codes: Set<Int32>, _ words: String..., what: String) {
    let lines = result.errors.split(separator: "\n").filter { $0.hasPrefix("error: ") }
    #expect(codes.contains(result.code) && lines.count == 1, "\(what): \(result.code) \(result.errors)")
    #expect(!result.errors.contains("NSCocoaErrorDomain") && !result.errors.contains("Error Domain"), "\(what): \(result.errors)")
    for word in words { #expect(result.errors.contains(word), "\(what): \(result.errors)") }
  }

  /// A copy of the tiny model, its data, a recipe and adapters in every format, in a folder of its own.
  private struct Bench {
    let folder: String
    var model: String { "\(folder)/model" }
    var output: String { "\(folder)/output" }
    /// The calls that read, but for the folder itself, which is opened only so that a renaming in it lasts.
    var inputs: String { ["model", "run", "peft", "data.jsonl", "texts.jsonl", "r.yaml"].map { "\(folder)/\($0)" }.joined(separator: ":") }

    init() throws {
      folder = try Graft.scratch().path
      try FileManager.default.copyItem(atPath: try TinyModel.path, toPath: folder + "/model")
      try FileManager.default.copyItem(atPath: try TinyModel.dataPath, toPath: folder + "/data.jsonl")
      try Data("{\"text\": \"one two\"}\n".utf8).write(to: URL(filePath: folder + "/texts.jsonl"))
      let recipe = try TinyModel.recipe().replacingOccurrences(of: TinyModel.path, with: folder + "/model")
        .replacingOccurrences(of: TinyModel.dataPath, with: folder + "/data.jsonl").replacingOccurrences(of: "max_steps: 6", with: "max_steps: 3")
      try Data(recipe.utf8).write(to: URL(filePath: folder + "/r.yaml"))
      for arguments in [
        ["train", folder + "/r.yaml", "--output", folder + "/run", "--quiet"],
        ["export", folder + "/run", "--format", "peft", "--output", folder + "/peft", "--quiet"],
      ] {
        let result = try Graft.run(arguments)
        try #require(result.code == 0, "\(result.errors)")
      }
    }

    /// Command lines that read and write every kind of file.
    var commands: [[String]] {
      let base = ["--model", model]
      let on = base + ["--adapter", folder + "/run"]
      let data = ["--data", folder + "/data.jsonl"]
      return [
        ["inspect", model], ["inspect", folder + "/run"], ["tokenize"] + base + ["one two"],
        ["tokenize"] + base + ["--data", folder + "/texts.jsonl"],
        ["score"] + on + data, ["eval"] + base + data, ["generate"] + on + ["--prompt", "one two", "--max-new-tokens", "3"],
        ["embed"] + base + ["--data", folder + "/texts.jsonl"], ["export", folder + "/run", "--format", "peft", "--output", output],
        ["export", folder + "/run", "--format", "hdf5", "--output", output + ".h5"], ["import", folder + "/peft", "--output", output + ".h5"],
        ["merge"] + on + ["--output", output], ["merge"] + on + ["--format", "gguf", "--output", output + ".gguf"],
        ["train", folder + "/r.yaml", "--output", output, "--quiet"],
      ]
    }

    func clear() throws {
      for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name.hasPrefix("output") || name.hasPrefix(".output") {
        try FileManager.default.removeItem(atPath: "\(folder)/\(name)")
      }
    }
  }

  @Test("a full standard output ends with 74, whatever the command")
  func fullOutput() throws {
    let bench = try Bench()
    var printing = 0
    for command in bench.commands + [["methods"], ["doctor"], ["--help"], ["train", "--help"], ["--version"]] {
      try bench.clear()
      let whole = try run(command)
      #expect(whole.code == 0, "\(command): \(whole.errors)")
      guard !whole.output.isEmpty else { continue }
      printing += 1
      try bench.clear()
      expectOneError(try run(command, setUp: "exec >/dev/full"), [74], "standard output: no space left", what: "\(command)")
    }
    #expect(printing > 8)
    expectOneError(try run(["methods"], setUp: "exec >&-"), [74], "standard output", what: "closed")
  }

  @Test("errors that cannot be told still end with their code")
  func fullErrors() throws {
    #expect(try run(["inspect", "no-such-model"], setUp: "exec 2>/dev/full").code == 66)
    #expect(try run(["inspect", "no-such-model"], setUp: "exec 2>&-").code == 66)
  }

  @Test("memory that the engine does not get is an error with what was asked for")
  func outOfMemory() throws {
    let recipe = try Graft.scratch().appending(path: "large.yaml")
    let text = """
      model:
        tokenizer: Data/models/seedling
        config: {model_type: llama, vocab_size: 1024, hidden_size: 1048576, intermediate_size: 4, num_hidden_layers: 1, num_attention_heads: 1024}
      method: {peft_type: FULL}
      data: {train: \(try TinyModel.dataPath)}
      training: {max_steps: 1}
      """
    try Data(text.utf8).write(to: recipe)
    let result = try run(["train", recipe.path, "--output", recipe.path + ".out", "--quiet"], setUp: "ulimit -v 3000000")
    expectOneError(result, [71], "MB are available", what: "a model of terabytes")
    // A mapping that does not fit.
    let folder = try Graft.scratch()
    let weights = folder.appending(path: "model.safetensors")
    try FileManager.default.copyItem(atPath: try TinyModel.path + "/config.json", toPath: folder.path + "/config.json")
    let size = 4 << 30
    let header = "{\"a\":{\"dtype\":\"U8\",\"shape\":[\(size)],\"data_offsets\":[0,\(size)]}}"
    try Data(withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian, Array.init) + Array(header.utf8)).write(to: weights)
    try #require(truncate(weights.path, size + 8 + header.utf8.count) == 0)
    expectOneError(try run(["inspect", folder.path], setUp: "ulimit -v 3000000"), [71], "does not fit into memory", what: "a mapping")
    try FileManager.default.removeItem(at: folder)
  }

  @Test("a file of weights that becomes shorter while it is in use is an error that names it")
  func shrinkingWeights() throws {
    let bench = try Bench()
    let weights = bench.model + "/model.safetensors"
    let process = try Graft.process(["chat", "--model", bench.model, "--max-new-tokens", "2"])
    let input = Pipe()
    let errors = Pipe()
    (process.standardInput, process.standardOutput, process.standardError) = (input, FileHandle.nullDevice, errors)
    try process.run()
    let deadline = ContinuousClock.now + .seconds(60)
    func isMapped() -> Bool {
      ((try? String(contentsOfFile: "/proc/\(process.processIdentifier)/maps", encoding: .utf8)) ?? "").contains("model.safetensors")
    }
    while !isMapped(), ContinuousClock.now < deadline, process.isRunning { usleep(10_000) }
    try #require(isMapped())
    usleep(200_000)
    try #require(truncate(weights, 0) == 0)
    try? input.fileHandleForWriting.write(contentsOf: Data("hello\n".utf8))
    try? input.fileHandleForWriting.close()
    let complaint = String(decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 74, "\(process.terminationStatus) \(complaint)")
    #expect(complaint.contains("error: \(weights): became shorter"), "\(complaint)")
  }

  /// The library that lets file calls fail, compiled once.
  private static let faults = Result { () throws -> String in
    let library = try Graft.scratch().appending(path: "faults.so").path
    let compiler = Process()
    compiler.executableURL = URL(filePath: "/usr/bin/env")
    compiler.arguments = ["clang", "-shared", "-fPIC", "-O1", "-o", library, Graft.root.appending(path: "Scripts/torture/faults.c").path, "-ldl"]
    try compiler.run()
    compiler.waitUntilExit()
    try #require(compiler.terminationStatus == 0)
    return library
  }

  /// From a call on none succeeds any more, as on a broken disk: every call in turn with `GRAFT_TORTURE`, else some of each command's.
  @Test("a failure of any reading or writing is an error", arguments: ["open,read,map", "create,write"])
  func inputOutputErrors(calls: String) throws {
    let bench = try Bench()
    let isThorough = ProcessInfo.processInfo.environment["GRAFT_TORTURE"] != nil
    let watched = calls.contains("read") ? bench.inputs : bench.folder
    var environment = ["LD_PRELOAD": try Self.faults.get(), "FAULTS_UNDER": watched, "FAULTS_CALLS": calls, "FAULTS_DO": "EIO", "FAULTS_STAYS": "1"]
    environment["FAULTS_COUNT"] = bench.folder + "/count"
    var tried = 0
    for command in bench.commands {
      try bench.clear()
      environment["FAULTS_AT"] = "0"
      let whole = try run(command, environment: environment)
      #expect(whole.code == 0, "\(command): \(whole.errors)")
      let count = try #require(Int(String(contentsOfFile: bench.folder + "/count", encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)))
      for call in stride(from: 1, through: count, by: isThorough ? 1 : max(1, count / 4)) {
        try bench.clear()
        environment["FAULTS_AT"] = "\(call)"
        let result = try run(command, environment: environment)
        expectOneError(result, [66, 73, 74], what: "\(calls) \(call) of \(count) of \(command)")
        tried += 1
      }
    }
    #expect(tried > 12)
    if isThorough { print("\(calls): \(tried) calls failed, each with an error") }
  }
}
#endif
