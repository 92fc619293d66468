import Foundation
import Testing

/// Files as people have them: with byte order marks, with names that would command a terminal, and no files at all.
@Suite struct InputFileTests {
  private let folder: URL

  init() throws { folder = try Graft.scratch() }

  @Test func everyTextFileMayHaveAByteOrderMark() throws {
    let mark = "\u{FEFF}"
    let model = folder.appending(path: "model")
    try FileManager.default.copyItem(atPath: try TinyModel.path, toPath: model.path)
    for name in try FileManager.default.contentsOfDirectory(atPath: model.path) where name.hasSuffix(".json") || name.hasSuffix(".jinja") {
      let file = model.appending(path: name)
      try (Data(mark.utf8) + Data(contentsOf: file)).write(to: file)
    }
    try Data("\(mark){\"eos_token_id\": 2}".utf8).write(to: model.appending(path: "generation_config.json"))
    let data = try folder.write(mark + TinyModel.data, "data.jsonl")
    let recipe = try folder.write(mark + (try TinyModel.recipe(data: data)).replacingOccurrences(of: try TinyModel.path, with: model.path), "r.yaml")
    let trained = try Graft.run("train", recipe, "--output", folder.appending(path: "run").path, "--quiet")
    #expect(trained.code == 0, "\(trained.errors)")
    let marked = try Graft.run("score", "--model", model.path, "--data", data)
    let plain = try Graft.run("score", "--model", try TinyModel.path, "--data", try TinyModel.dataPath)
    #expect(marked.code == 0 && marked.output == plain.output)
  }

  /// A pipe without a writer would be waited for until the end of days.
  @Test(.timeLimit(.minutes(2))) func pipesAndDevicesAreRefusedWhereAFileIsDue() throws {
    let model = folder.appending(path: "model").path
    try FileManager.default.copyItem(atPath: try TinyModel.path, toPath: model)
    func pipe(_ name: String) throws -> String {
      let path = folder.appending(path: name).path
      try? FileManager.default.removeItem(atPath: path)
      #expect(mkfifo(path, 0o600) == 0)
      return path
    }
    func refused(_ arguments: String...) throws {
      let result = try Graft.run(arguments)
      #expect(result.code == 65 || result.code == 66, "\(arguments): \(result.errors)")
      #expect(result.complaint.contains("is a pipe, not a file") || result.complaint.contains("is a device, not a file"), "\(result.errors)")
    }
    let data = try TinyModel.dataPath
    try refused("train", try pipe("r.yaml"))
    for name in ["d.jsonl", "d.csv", "d.tsv", "d.txt"] { try refused("score", "--model", model, "--data", try pipe(name)) }
    try refused("score", "--model", model, "--data", data, "--adapter", try pipe("a.h5"))
    try refused("inspect", try pipe("a.safetensors"))
    for name in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
      let whole = try Data(contentsOf: URL(fileURLWithPath: model + "/" + name))
      _ = try pipe("model/" + name)
      try refused("score", "--model", model, "--data", data)
      try FileManager.default.removeItem(atPath: model + "/" + name)
      try whole.write(to: URL(fileURLWithPath: model + "/" + name))
    }
    try FileManager.default.createSymbolicLink(atPath: folder.path + "/zero.jsonl", withDestinationPath: "/dev/zero")
    try refused("score", "--model", model, "--data", folder.path + "/zero.jsonl")
  }

  @Test func controlCharactersOfNamesAreSpelledOut() throws {
    let evil = "x\u{1B}]0;owned\u{7}\u{1B}[2J\u{9B}31m"
    func clean(_ text: String) -> Bool { !text.unicodeScalars.contains { $0 != "\n" && ($0.value < 0x20 || (0x7F..<0xA0).contains($0.value)) } }
    let column = try Graft.run("score", "--model", try TinyModel.path, "--data", try folder.write("\(evil),b\n1,2\n", "d.csv"))
    #expect(column.code == 65 && clean(column.errors) && column.complaint.contains("x\\u{1b}]0;owned\\u{7}"), "\(column.errors)")
    let file = try Graft.run("score", "--model", try TinyModel.path, "--data", folder.path + "/\(evil).jsonl")
    #expect(file.code == 66 && clean(file.errors))
    let key = try Graft.run(
      "train",
      try folder.write(
        "\"\(evil.replacingOccurrences(of: "\u{1B}", with: "\\e").replacingOccurrences(of: "\u{7}", with: "\\a").replacingOccurrences(of: "\u{9B}", with: "\\x9b"))\": 1\n",
        "r.yaml"))
    #expect(key.code == 64 && clean(key.errors), "\(key.errors)")
    // The labels' names stand in the note, the tensors' in the table.
    let data = try folder.write("text,label\none,\(evil)\ntwo,b\n", "labels.csv")
    let recipe = """
      model: {tokenizer: Data/models/seedling, config: {model_type: bert, vocab_size: 1024, hidden_size: 16, intermediate_size: 24,
        num_hidden_layers: 1, num_attention_heads: 2, max_position_embeddings: 64}}
      task: sequence_classification
      method: {peft_type: FULL}
      data: {train: \(data), max_length: 32, packing: false}
      training: {max_steps: 1}
      """
    let output = folder.appending(path: "run").path
    let trained = try Graft.run("train", try folder.write(recipe, "labels.yaml"), "--output", output)
    #expect(trained.code == 0 && trained.errors.contains("labels: 2 classes") && clean(trained.errors), "\(trained.errors)")
    #expect(clean(try Graft.run("inspect", output + "/model").output))
  }
}
