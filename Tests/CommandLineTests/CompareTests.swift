import Foundation
import GraftJSON
import Testing

/// `graft compare` through the program: what it writes, what it does not repeat, and what a failing method does.
@Suite struct CompareTests {
  private static let methods = """
    seeds: [0, 1]
    methods:
      - {name: lora, method: {peft_type: LORA, r: 2}, learning_rates: [1.0e-3, 1.0e-2]}
      - {name: ranks, method: {peft_type: LORA, r: [1, 4]}}
      - {name: full, method: {peft_type: FULL}}
      - {name: wrong, method: {target_modules: [nowhere]}}
      - {name: "too fast", method: {peft_type: LORA}, training: {learning_rate: 1.0e+30, max_grad_norm: 0}}
    """

  /// The tiny model's recipe with its own examples held out, which is enough to see what is run.
  private func baseRecipe() throws -> String {
    try TinyModel.recipe().replacingOccurrences(of: "max_length: 64", with: "eval: \(try TinyModel.dataPath), max_length: 64")
  }

  private func compare(_ recipe: String, in folder: URL) throws -> Graft.Result {
    let file = folder.appending(path: "r.yaml")
    try Data(recipe.utf8).write(to: file)
    return try Graft.run("compare", file.path, "--output", folder.appending(path: "out").path)
  }

  private func runs(in folder: URL) throws -> [JSON] {
    let text = try String(contentsOf: folder.appending(path: "out/results.json"), encoding: .utf8)
    return try #require(try JSON(parsing: text)["runs"]?.object).map(\.value)
  }

  /// The fields that the loader of PEFT's `method_comparison` (processing.py) reads of a record.
  private func requirePEFTKeys(in record: JSON) throws {
    let keys = [
      "run_info": ["created_at", "total_time", "experiment_name", "peft_branch", "train_config", "peft_config"],
      "train_info": [
        "status", "accelerator_memory_reserved_avg", "accelerator_memory_max", "accelerator_memory_reserved_99th", "train_time", "file_size",
        "metrics",
      ],
      "meta_info": ["package_info", "system_info"],
    ]
    for (section, names) in keys {
      for name in names { #expect(record[section]?[name] != nil, "\(section).\(name)") }
    }
    #expect(record["run_info"]?["train_config"]?["model_id"]?.string != nil)
    // It takes what has no configuration for full fine-tuning, and asks every other for its type.
    let configuration = try #require(record["run_info"]?["peft_config"])
    if record["graft"]?["name"]?.string == "wrong" { #expect(configuration["peft_type"]?.string == "LORA") }
    #expect(configuration == .null || configuration["peft_type"]?.string != nil)
    let last = try #require(record["train_info"]?["metrics"]?.array?.last)
    for name in ["test accuracy", "train loss", "train samples", "train total tokens"] { #expect(last[name] != nil, "\(name)") }
    let packages = try #require(record["meta_info"]?["package_info"])
    for name in ["peft", "transformers", "datasets", "torch", "bitsandbytes"] { #expect(packages["\(name)-version"] != nil, "\(name)") }
  }

  @Test func everyMethodIsARowAndNothingRunsTwice() throws {
    let folder = try Graft.scratch()
    let recipe = try baseRecipe() + "\n" + Self.methods
    let first = try compare(recipe, in: folder)
    try #require(first.code == 0, "\(first.errors)")
    let lines = first.output.split(separator: "\n").map(String.init)
    #expect(lines.count == 8 && lines[1].hasPrefix("untouched base") && lines[5].hasPrefix("full"))
    #expect(lines[6].contains("failed") && lines[7].contains("diverged"))
    #expect(first.errors.contains("wrong seed 0: failed: target_modules: \"nowhere\" matches no"))
    #expect(first.errors.contains("chosen on validation examples"))
    #expect(first.errors.contains("\nwrong: 2 of 2 runs failed: ") && first.errors.contains("\ntoo fast: 2 of 2 runs diverged: "))

    let records = try runs(in: folder)
    // One baseline, two trials, and six methods under two seeds.
    #expect(records.count == 1 + 2 + 12)
    for record in records { try requirePEFTKeys(in: record) }
    let csv = try String(contentsOf: folder.appending(path: "out/results.csv"), encoding: .utf8)
    #expect(csv.split(separator: "\n").count == 1 + 7 + 12)
    let report = try String(contentsOf: folder.appending(path: "out/report.html"), encoding: .utf8)
    #expect(report.contains("untouched base") && !report.contains("://") && !report.contains("<script"))
    #expect(FileManager.default.fileExists(atPath: folder.appending(path: "out/plots/pareto.svg").path))

    let second = try compare(recipe, in: folder)
    // What failed is tried again, since it may have been mended; the rest is not.
    #expect(second.output == first.output)
    #expect(second.errors.components(separatedBy: "(from before)").count - 1 == 1 + 2 + 10)
    let more = try compare(recipe.replacingOccurrences(of: "seeds: [0, 1]", with: "seeds: [0, 1, 2]"), in: folder)
    #expect(more.errors.components(separatedBy: "(from before)").count - 1 == 1 + 2 + 10 && more.code == 0)
  }

  /// A run that was interrupted in its middle and went on gives what it would have given, all of it counted.
  @Test func interruptedComparisonGoesOn() throws {
    let recipe =
      try baseRecipe().replacingOccurrences(of: "max_steps: 6", with: "max_steps: 1000")
      + "\nseeds: [0]\nmethods:\n  - {name: lora, method: {peft_type: LORA, r: 2}, training: {logging_steps: 1}}\n"
    let whole = try Graft.scratch()
    let cut = try Graft.scratch()
    try #require(try compare(recipe, in: whole).code == 0)

    let file = cut.appending(path: "r.yaml")
    let output = cut.appending(path: "out")
    try Data(recipe.utf8).write(to: file)
    let process = try Graft.process(["compare", file.path, "--output", output.path])
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try Graft.start(process)
    var lineCount = 0
    while lineCount < 20, process.isRunning {
      let run = try? FileManager.default.contentsOfDirectory(atPath: output.path + "/runs").first
      let log = run.flatMap { try? String(contentsOfFile: output.path + "/runs/\($0)/metrics.jsonl", encoding: .utf8) }
      lineCount = log?.split(separator: "\n").count ?? 0
    }
    process.interrupt()
    process.waitUntilExit()
    try #require(process.terminationStatus == 75)

    try #require(try compare(recipe, in: cut).code == 0)
    func figures(_ folder: URL) throws -> (metrics: [JSON], last: JSON, scores: JSON?) {
      let record = try #require(try runs(in: folder).first { $0["graft"]?["name"]?.string == "lora" })
      let metrics = try #require(record["train_info"]?["metrics"]?.array)
      let plain = metrics.map { $0["train loss"] ?? .null }
      return (plain, try #require(metrics.last), record["graft"]?["scores"])
    }
    let (expected, actual) = (try figures(whole), try figures(cut))
    #expect(expected.metrics.count == 1001 && actual.metrics == expected.metrics)
    #expect(actual.last == expected.last && actual.scores == expected.scores)
  }

  /// Lines of a comparison may have models of their own, of which the report shows the architectures.
  @Test func modelsAreCompared() throws {
    let folder = try Graft.scratch()
    let config = "vocab_size: 1024, hidden_size: 16, num_hidden_layers: 1"
    let attention = "model_type: llama, intermediate_size: 24, num_attention_heads: 2, num_key_value_heads: 1"
    let recipe =
      try baseRecipe() + """

        seeds: [0]
        methods:
          - {name: base, method: {peft_type: FULL}}
          - {name: attention, method: {peft_type: FULL}, model: {tokenizer: Data/models/seedling, config: {\(config), \(attention)}}}
          - {name: scan, method: {peft_type: FULL}, model: {tokenizer: Data/models/seedling, config: {\(config), model_type: mamba}}}
          - {name: broken, method: {peft_type: FULL}, model: {tokenizer: Data/models/seedling, config: {\(config), model_type: no}}}

        """
    let first = try compare(recipe, in: folder)
    try #require(first.code == 0, "\(first.errors)")
    #expect(first.errors.contains("broken seed 0: failed: ") && first.errors.contains("unsupported model_type"))
    let records = Dictionary(try runs(in: folder).map { ($0["graft"]?["name"]?.string ?? "", $0) }) { first, _ in first }
    #expect(records["scan"]?["graft"]?["architecture"]?["model_type"] == "mamba")
    // One head of keys and values of 8 columns, in float32, of every token; a state of one size.
    let caches = ["attention", "scan"].map { name in (records[name]?["graft"]?["cache"]?.array ?? []).compactMap { $0["bytes"]?.int } }
    #expect(caches[0].first == 0 && caches[0].last == 4096 * 16 * 4)
    #expect((caches[1].first ?? 0) > 0 && Set(caches[1]).count == 1)
    let report = try String(contentsOf: folder.appending(path: "out/report.html"), encoding: .utf8)
    for title in ["<h2>Architectures</h2>", "<span>Training loss by tokens</span>", "<span>Training loss by time</span>", "Cache of one sequence"] {
      #expect(report.contains(title), "\(title)")
    }
    let second = try compare(recipe, in: folder)
    #expect(second.errors.components(separatedBy: "(from before)").count - 1 == 4)
  }

  /// The base in memory is the same for every run: a method alone and after others, FULL included, gives the same scores.
  @Test func runsDoNotTouchEachOther() throws {
    let base = try baseRecipe()
    func scores(_ methods: String) throws -> [JSON] {
      let folder = try Graft.scratch()
      let result = try compare(base + "\nseeds: [3]\nmethods:\n" + methods, in: folder)
      try #require(result.code == 0, "\(result.errors)")
      return try runs(in: folder).filter { $0["graft"]?["name"]?.string == "lora" }.compactMap { $0["train_info"]?["metrics"]?.array?.last }
    }
    let lora = "  - {name: lora, method: {peft_type: LORA, r: 2}, training: {learning_rate: 1.0e-2}}\n"
    let full = "  - {name: full, method: {peft_type: FULL}, training: {learning_rate: 1.0e-2}}\n"
    let alone = try scores(lora)
    #expect(alone.count == 1)
    #expect(try scores(full + lora) == alone)
  }

  @Test func comparisonWithoutHeldOutExamplesOrMethodsIsRefused() throws {
    let folder = try Graft.scratch()
    let base = try baseRecipe()
    let none = try compare(base, in: folder)
    #expect(none.code == 64 && none.complaint.contains("methods: there is nothing to compare"))
    let unheld = try compare(try TinyModel.recipe() + "\nmethods:\n  - {name: a, method: {peft_type: LORA}}\n", in: folder)
    #expect(unheld.code == 64 && unheld.complaint.hasPrefix("error: data.eval: missing"))
    let twice = try compare(base + "\nmethods:\n  - {name: a, method: {peft_type: LORA, r: [1, 2], lora_alpha: [1, 2]}}\n", in: folder)
    #expect(twice.code == 64 && twice.complaint.contains("sweep one key"))
  }
}
