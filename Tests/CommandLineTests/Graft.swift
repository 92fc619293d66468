import Foundation
import GraftTestSupport
import Testing

/// The built program, run as a user runs it.
struct Graft {
  typealias Result = Program

  static let root = Repository.root

  /// The products' folder: the tests' own.
  static var program: URL {
    get throws {
      let folders = CommandLine.arguments.prefix(1).map { URL(fileURLWithPath: $0).deletingLastPathComponent() }
      let candidates = folders + [Bundle.main.bundleURL, root.appending(path: ".build/release"), root.appending(path: ".build/debug")]
      return try #require(
        candidates.map { $0.appending(path: "graft") }.first { FileManager.default.isExecutableFile(atPath: $0.path) }, "no graft beside the tests")
    }
  }

  /// Runs it from the package's root.
  /// - Parameter fileSizeLimit: the most blocks of 512 bytes that a file may have.
  static func run(_ arguments: String..., fileSizeLimit: Int? = nil) throws -> Result {
    try run(arguments, fileSizeLimit: fileSizeLimit)
  }

  /// Runs it from the package's root.
  /// - Parameters:
  ///   - input: what it reads; nothing where nil.
  ///   - fileSizeLimit: the most blocks of 512 bytes that a file may have.
  static func run(_ arguments: [String], input: FileHandle? = nil, fileSizeLimit: Int? = nil) throws -> Result {
    try Program(running: process(arguments, fileSizeLimit: fileSizeLimit), input: input)
  }

  /// The program with its arguments, not yet running.
  /// - Parameter setUp: what a shell does before it, such as `ulimit -v 1000000`.
  static func process(_ arguments: [String], fileSizeLimit: Int? = nil, setUp: String? = nil) throws -> Process {
    let process = Process()
    let program = try program.path
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    let limit = (fileSizeLimit.map { "ulimit -f \($0); " } ?? "") + (setUp.map { $0 + "; " } ?? "")
    process.arguments = ["-c", limit + "exec \"$0\" \"$@\"", program] + arguments
    process.currentDirectoryURL = root
    return process
  }

  /// Starts it so that it can be interrupted: tests run on threads that block signals, which a child would inherit.
  static func start(_ process: Process) throws {
    var interrupt = sigset_t()
    var former = sigset_t()
    sigemptyset(&interrupt)
    for number in [SIGINT, SIGTERM] { sigaddset(&interrupt, number) }
    pthread_sigmask(SIG_UNBLOCK, &interrupt, &former)
    defer { pthread_sigmask(SIG_SETMASK, &former, nil) }
    try process.run()
  }

  /// The folder of this process's scratch folders, which goes with the process.
  private static let scratchFolder: URL = {
    atexit { try? FileManager.default.removeItem(at: Graft.scratchFolder) }
    return FileManager.default.temporaryDirectory.appending(path: "graft-tests-\(UUID().uuidString)")
  }()

  /// Returns a folder of its own for one test.
  static func scratch() throws -> URL {
    let folder = scratchFolder.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder
  }
}

extension URL {
  /// Writes a text file into the folder.
  /// - Returns: its path.
  func write(_ text: String, _ name: String) throws -> String {
    let file = appending(path: name)
    try Data(text.utf8).write(to: file)
    return file.path
  }
}

/// A tiny Llama with the seedling's tokenizer, made once by the program itself.
enum TinyModel {
  static let data = """
    {"prompt": "one two", "completion": " three"}
    {"prompt": "red green", "completion": " blue"}
    {"prompt": "a b", "completion": " c d"}
    {"prompt": "up and", "completion": " down"}

    """

  static let folder: Result<URL, any Error> = Result {
    let folder = try Graft.scratch()
    try Data(data.utf8).write(to: folder.appending(path: "data.jsonl"))
    let recipe = """
      model:
        tokenizer: Data/models/seedling
        config: {model_type: llama, vocab_size: 1024, hidden_size: 32, intermediate_size: 48, num_hidden_layers: 2,
                 num_attention_heads: 4, num_key_value_heads: 2, tie_word_embeddings: true, max_position_embeddings: 128}
      method: {peft_type: FULL}
      data: {train: \(folder.path)/data.jsonl}
      training: {max_steps: 2, batch_size: 2, learning_rate: 1.0e-3, seed: SEED}
      report: {html: false, tensorboard: false}
      """
    for (name, seed) in [("base", "1"), ("other", "2")] {
      let file = folder.appending(path: "\(name).yaml")
      try Data(recipe.replacingOccurrences(of: "SEED", with: seed).utf8).write(to: file)
      let result = try Graft.run("train", file.path, "--output", folder.appending(path: name).path, "--quiet")
      try #require(result.code == 0, "\(result.errors)")
    }
    return folder
  }

  static var path: String { get throws { try folder.get().appending(path: "base/model").path } }
  static var otherPath: String { get throws { try folder.get().appending(path: "other/model").path } }
  static var dataPath: String { get throws { try folder.get().appending(path: "data.jsonl").path } }

  /// A LoRA recipe on it, with lines replaced or added.
  static func recipe(_ changes: String = "", data: String? = nil, targets: String = "all-linear") throws -> String {
    """
    model: {path: \(try path)}
    method: {peft_type: LORA, r: 4, target_modules: \(targets)}
    data: {train: \(try data ?? dataPath), max_length: 64}
    training: {max_steps: 6, batch_size: 2, save_steps: 3, logging_steps: 1, learning_rate: 1.0e-2}
    \(changes)
    """
  }
}
