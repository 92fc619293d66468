import Foundation
import GraftCheckpoints
import GraftJSON
import GraftTensors
import Testing

/// The places of exports, imports and merges, and all that they leave alone.
@Suite struct OutputPlaceTests {
  private func contents(_ folder: String) throws -> [String: Data] {
    var contents: [String: Data] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
      contents[name] = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)"))
    }
    return contents
  }

  private func run() throws -> String {
    let folder = try Graft.scratch()
    let file = folder.appending(path: "r.yaml")
    let run = folder.appending(path: "run").path
    try Data(try TinyModel.recipe("", targets: "[q_proj]").replacingOccurrences(of: "max_steps: 6", with: "max_steps: 1").utf8).write(to: file)
    try #require(try Graft.run("train", file.path, "--output", run, "--quiet").code == 0)
    return run
  }

  @Test func exportsAndMergesReplaceOnlyTheirOwnAndOnlyIfAsked() throws {
    let run = try run()
    let base = try TinyModel.path
    let folder = try Graft.scratch().path
    for (name, command, foreign) in [
      ("peft", ["export", run, "--format", "peft"], "notes.txt"), ("merged", ["merge", "--model", base, "--adapter", run], "adapter.h5"),
    ] {
      let place = "\(folder)/\(name)"
      let output = ["--output", place]
      try #require(try Graft.run(command + output).code == 0)
      let first = try contents(place)
      let again = try Graft.run(command + output)
      #expect(again.code == 73 && again.complaint.contains("--overwrite"), "\(again.errors)")
      // What an earlier version left behind goes when the directory is replaced as a whole.
      try Data("stale".utf8).write(to: URL(fileURLWithPath: place + (name == "peft" ? "/adapter_model.bin" : "/model-00001-of-00009.safetensors")))
      try #require(try Graft.run(command + output + ["--overwrite"]).code == 0)
      #expect(try contents(place) == first)
      try Data("mine".utf8).write(to: URL(fileURLWithPath: "\(place)/\(foreign)"))
      let refused = try Graft.run(command + output + ["--overwrite"])
      #expect(refused.code == 73 && refused.complaint.contains(foreign), "\(refused.errors)")
      #expect(try contents(place).count == first.count + 1)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["merged", "peft"])
  }

  @Test func theBaseDevicesAndFilesOfOthersAreNeverReplaced() throws {
    let run = try run()
    let base = try TinyModel.path
    let folder = try Graft.scratch().path
    let before = try contents(base)
    let link = folder + "/link"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: base)
    for output in [base, base + "/", link] {
      let result = try Graft.run("merge", "--model", base, "--adapter", run, "--output", output, "--overwrite")
      #expect(result.code == 73 && result.complaint.contains("is what is read"), "\(result.errors)")
    }
    #expect(try contents(base) == before)
    let file = folder + "/mine.h5"
    try Data("mine".utf8).write(to: URL(fileURLWithPath: file))
    for output in ["/dev/full", "/dev/null", file, folder] {
      for command in [["export", run, "--format", "hdf5"], ["export", run, "--format", "gguf", "--model", base]] {
        let result = try Graft.run(command + ["--output", output])
        #expect(result.code == 73, "\(command) \(output): \(result.errors)")
      }
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == Data("mine".utf8))
    #expect(try FileManager.default.attributesOfItem(atPath: "/dev/full")[.type] as? FileAttributeType == .typeCharacterSpecial)
    let own = folder + "/own.h5"
    for _ in 0..<2 { #expect(try Graft.run("export", run, "--format", "hdf5", "--output", own).code == 0) }
    #expect(try Graft.run("export", own, "--format", "hdf5", "--output", own).code == 73)
    let gguf = folder + "/own.gguf"
    for _ in 0..<2 { #expect(try Graft.run("export", run, "--format", "gguf", "--model", base, "--output", gguf).code == 0) }
  }

  @Test func whatDoesNotFitATypeIsNotWritten() throws {
    let base = try TinyModel.path
    let folder = try Graft.scratch().path
    let wide = folder + "/wide"
    try FileManager.default.copyItem(atPath: base, toPath: wide)
    func write(_ value: Float) throws {
      let weights = try Checkpoint(directory: base)
      var tensors: [(name: String, tensor: Tensor)] = []
      for description in weights.descriptions {
        var tensor = try weights.tensor(description.name).converted(to: .float32)
        if description.name.hasSuffix("layers.1.mlp.down_proj.weight") {
          var values = tensor.values
          values[3] = value
          tensor = Tensor(values, tensor.shape)
        }
        tensors.append((description.name, tensor))
      }
      try SafetensorsWriter.write(tensors, to: wide + "/model.safetensors")
    }
    try write(66_000)
    for (format, output) in [("hf", folder + "/m"), ("gguf", folder + "/m.gguf")] {
      let result = try Graft.run("merge", "--model", wide, "--output", output, "--format", format, "--dtype", "float16")
      #expect(
        result.code == 65 && result.complaint.contains("layers.1.mlp.down_proj.weight: 66000") && result.complaint.contains("bfloat16"),
        "\(result.errors)")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["wide"])
    #expect(try Graft.run("merge", "--model", wide, "--output", folder + "/m", "--dtype", "bfloat16").code == 0)
    try write(.infinity)
    let damaged = try Graft.run("merge", "--model", wide, "--output", folder + "/n")
    #expect(damaged.code == 65 && damaged.complaint.contains("not finite"), "\(damaged.errors)")
  }

  @Test func tablesThatAreTrainedApartAreMergedApart() throws {
    let base = try TinyModel.path
    let data = try TinyModel.dataPath
    let folder = try Graft.scratch()
    let file = folder.appending(path: "r.yaml")
    let run = folder.appending(path: "run").path
    for (saved, isTied) in [("[embed_tokens]", false), ("[embed_tokens, lm_head]", false), ("[embed_tokens], ensure_weight_tying: true", true)] {
      let recipe = try TinyModel.recipe("", targets: "[q_proj], modules_to_save: \(saved)").replacingOccurrences(of: "save_steps: 3, ", with: "")
      try Data(recipe.utf8).write(to: file)
      let place = run + "-\(saved.count)"
      let merged = place + "-merged"
      let exported = place + "-peft"
      let trained = try Graft.run("train", file.path, "--output", place, "--quiet")
      try #require(trained.code == 0, "\(trained.errors)")
      try #require(try Graft.run("merge", "--model", base, "--adapter", place, "--output", merged).code == 0)
      try #require(try Graft.run("export", place, "--format", "peft", "--output", exported).code == 0)
      func losses(_ arguments: String...) throws -> [Double] {
        try Graft.run(["score", "--data", data] + arguments).output.split(separator: "\n").map {
          try #require(try JSON(parsing: String($0))["loss"]?.double)
        }
      }
      let adapted = try losses("--model", base, "--adapter", place)
      for other in [try losses("--model", merged), try losses("--model", base, "--adapter", exported)] {
        #expect(other.count == adapted.count && zip(other, adapted).allSatisfy { abs($0 - $1) < 1e-4 }, "\(saved): \(other) \(adapted)")
      }
      let configuration = try JSON(parsing: Data(contentsOf: URL(fileURLWithPath: merged + "/config.json")))
      #expect(configuration["tie_word_embeddings"]?.bool == isTied)
      let names = try Checkpoint(directory: merged).tensorNames
      #expect(names.contains("lm_head.weight") != isTied)
      let tensors = try AdapterFile.read(exported).adapter().tensors.map(\.name)
      #expect(tensors.contains("base_model.model.model.embed_tokens.weight"))
      #expect(tensors.contains("base_model.model.lm_head.weight") == (saved != "[embed_tokens]"))
    }
  }
}

/// Classifiers in PEFT's format.
@Suite struct ClassifierExportTests {
  /// Leaves a checkpoint as a bare encoder is published: without pooler, head and labels.
  private func strip(_ model: String) throws {
    let weights = try Checkpoint(directory: model)
    let configuration = URL(fileURLWithPath: model + "/config.json")
    let kept = weights.tensorNames.filter { !$0.contains("pooler") && !$0.contains("classifier") }
    try SafetensorsWriter.write(try kept.map { (name: $0, tensor: try weights.tensor($0)) }, to: model + "/model.safetensors")
    var json = try JSON(parsing: Data(contentsOf: configuration))
    for key in ["id2label", "label2id", "problem_type", "num_labels"] { json[key] = nil }
    json["architectures"] = ["BertModel"]
    try Data(json.serialized().utf8).write(to: configuration)
  }

  @Test func aDirectoryOfPEFTsCarriesNumberAndNamesOfLabels() throws {
    let folder = try Graft.scratch().path
    let base = folder + "/base"
    let data = ["left", "right", "up"].map { #"{"text": "one two", "label": "\#($0)"}"# }.joined(separator: "\n") + "\n"
    try Data(data.utf8).write(to: URL(fileURLWithPath: folder + "/data.jsonl"))
    let recipe = """
      model:
        tokenizer: Data/tokenizers/wordpiece
        config: {model_type: bert, vocab_size: 1024, hidden_size: 16, intermediate_size: 24, num_hidden_layers: 1, num_attention_heads: 2, max_position_embeddings: 64}
      task: sequence_classification
      method: {peft_type: FULL}
      data: {train: \(folder)/data.jsonl}
      training: {max_steps: 1, batch_size: 1}
      """
    try Data(recipe.utf8).write(to: URL(fileURLWithPath: folder + "/base.yaml"))
    let made = try Graft.run("train", folder + "/base.yaml", "--output", base, "--quiet")
    try #require(made.code == 0, "\(made.errors)")
    try strip(base + "/model")
    let classifier = """
      model: {path: \(base)/model}
      task: sequence_classification
      method: {peft_type: LORA, r: 2}
      data: {train: \(folder)/data.jsonl}
      training: {max_steps: 3, batch_size: 3, learning_rate: 1.0e-2}
      """
    try Data(classifier.utf8).write(to: URL(fileURLWithPath: folder + "/classifier.yaml"))
    let run = folder + "/run"
    let exported = folder + "/peft"
    let imported = folder + "/again.h5"
    let trained = try Graft.run("train", folder + "/classifier.yaml", "--output", run, "--quiet")
    try #require(trained.code == 0, "\(trained.errors)")
    try #require(try Graft.run("export", run, "--format", "peft", "--output", exported).code == 0)
    let configuration = try JSON(parsing: Data(contentsOf: URL(fileURLWithPath: exported + "/adapter_config.json")))
    // The word all-linear would mean other modules there; the pooler that the base lacks is part of the adapter.
    #expect(Set(configuration["target_modules"]?.array?.compactMap(\.string) ?? []) == ["query", "key", "value", "dense"])
    #expect(configuration["modules_to_save"]?.array?.compactMap(\.string) == ["classifier", "score", "bert.pooler.dense"])
    #expect(configuration["labels"] == nil && configuration["base_model_name_or_path"]?.string == base + "/model")
    let names = try JSON(parsing: Data(contentsOf: URL(fileURLWithPath: exported + "/label_names.json")))["labels"]?.array?.compactMap(\.string)
    #expect(names.map(Set.init) == ["left", "right", "up"])
    let card = try String(contentsOfFile: exported + "/README.md", encoding: .utf8)
    #expect(card.contains("library_name: peft") && card.contains("`right`") && card.contains(base + "/model"))
    try #require(try Graft.run("import", exported, "--output", imported).code == 0)
    func scores(_ adapter: String) throws -> String {
      let result = try Graft.run("score", "--model", base + "/model", "--adapter", adapter, "--data", folder + "/data.jsonl")
      try #require(result.code == 0, "\(result.errors)")
      return result.output
    }
    let expected = try scores(run)
    #expect(try scores(exported) == expected)
    #expect(try scores(imported) == expected)
    // Without the names their number is still in the tensors.
    try FileManager.default.removeItem(atPath: exported + "/label_names.json")
    try Data((0..<3).map { #"{"text": "one two", "label": "LABEL_\#($0)"}"# + "\n" }.joined().utf8).write(
      to: URL(fileURLWithPath: folder + "/data.jsonl"))
    let unnamed = try scores(exported).split(separator: "\n").map { try JSON(parsing: String($0)) }
    #expect(unnamed.allSatisfy { $0["logits"]?.array?.count == 3 && $0["label"]?.string?.hasPrefix("LABEL_") == true })
  }

  @Test func namesThatAreNotASavedAdaptersAreToldAsFound() throws {
    let folder = try Graft.scratch().path
    for (name, part) in [
      ("base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight", "an adapter's name"),
      ("model.layers.0.self_attn.q_proj.lora_A.weight", "lacks PEFT's prefix"),
    ] {
      let place = "\(folder)/\(part.count)"
      try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
      try Data(#"{"peft_type": "LORA", "r": 2, "target_modules": ["q_proj"]}"#.utf8).write(to: URL(fileURLWithPath: place + "/adapter_config.json"))
      try SafetensorsWriter.write([(name, Tensor([Float](repeating: 0, count: 64), [2, 32]))], to: place + "/adapter_model.safetensors")
      let result = try Graft.run("score", "--model", try TinyModel.path, "--adapter", place, "--data", try TinyModel.dataPath)
      #expect(result.code == 65 && result.complaint.contains(name) && result.complaint.contains(part), "\(result.errors)")
    }
  }
}

/// The files of an adapter's directory besides the adapter.
@Suite struct AdapterDirectoryTests {
  /// A directory of PEFT's as trainers leave it: with a tokenizer that knows one token more and lower case only, and the table that grew.
  @Test func aTokenizerInItIsUsedAndMergedWithTheTableThatGrew() throws {
    let base = try TinyModel.path
    let folder = try Graft.scratch().path
    let adapter = folder + "/adapter"
    try FileManager.default.createDirectory(atPath: adapter, withIntermediateDirectories: true)
    func write(_ json: JSON, _ name: String) throws { try Data(json.serialized().utf8).write(to: URL(fileURLWithPath: "\(adapter)/\(name)")) }
    func read(_ path: String) throws -> JSON { try JSON(parsing: Data(contentsOf: URL(fileURLWithPath: path))) }
    try write(["peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 1, "target_modules": ["q_proj"]], "adapter_config.json")
    var tokenizer = try read(base + "/tokenizer.json")
    var configuration = try read(base + "/tokenizer_config.json")
    let added: JSON = [
      "id": 1024, "content": "<zap>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true,
    ]
    tokenizer["added_tokens"] = .array((tokenizer["added_tokens"]?.array ?? []) + [added])
    tokenizer["normalizer"] = ["type": "Lowercase"]
    configuration["chat_template"] = "{{ 'its own' }}"
    try write(tokenizer, "tokenizer.json")
    try write(configuration, "tokenizer_config.json")
    let weights = try Checkpoint(directory: base)
    let table = try weights.tensor("model.embed_tokens.weight").converted(to: .float32)
    let width = table.shape[1]
    var tensors: [(name: String, tensor: Tensor)] = [
      ("base_model.model.model.embed_tokens.weight", Tensor(table.values + [Float](repeating: 0.25, count: width), [1025, width])),
      ("base_model.model.lm_head.weight", Tensor(table.values + [Float](repeating: 0.25, count: width), [1025, width])),
    ]
    for layer in 0..<2 {
      let path = "base_model.model.model.layers.\(layer).self_attn.q_proj"
      tensors.append(("\(path).lora_A.weight", Tensor([Float](repeating: 0.1, count: width), [1, width])))
      tensors.append(("\(path).lora_B.weight", Tensor([Float](repeating: 0.1, count: width), [width, 1])))
    }
    try SafetensorsWriter.write(tensors, to: adapter + "/adapter_model.safetensors")
    let data = folder + "/data.jsonl"
    let merged = folder + "/merged"
    try Data("{\"text\": \"<zap> ONE two\"}\n{\"text\": \"<zap> one two\"}\n".utf8).write(to: URL(fileURLWithPath: data))
    func scores(_ arguments: String...) throws -> [JSON] {
      let result = try Graft.run(["score", "--data", data] + arguments)
      try #require(result.code == 0, "\(result.errors)")
      return try result.output.split(separator: "\n").map { try JSON(parsing: String($0)) }
    }
    let adapted = try scores("--model", base, "--adapter", adapter)
    #expect(adapted[0]["tokens"]?.array?.contains(1024) == true && adapted[0]["tokens"] == adapted[1]["tokens"])
    let result = try Graft.run("merge", "--model", base, "--adapter", adapter, "--output", merged)
    try #require(result.code == 0, "\(result.errors)")
    #expect(try read(merged + "/tokenizer_config.json")["chat_template"]?.string == "{{ 'its own' }}")
    #expect(try Checkpoint(directory: merged).tensor("model.embed_tokens.weight").shape == [1025, width])
    let folded = try scores("--model", merged)
    for (row, other) in zip(adapted, folded) {
      #expect(row["tokens"] == other["tokens"])
      #expect(abs((row["loss"]?.double ?? 0) - (other["loss"]?.double ?? 1)) < 1e-4)
    }
  }
}
