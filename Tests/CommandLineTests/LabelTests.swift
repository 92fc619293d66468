import Foundation
import GraftJSON
import Testing

/// Training, evaluation and scoring agree on what the labels of a file are.
@Suite struct LabelTests {
  private let folder: URL

  init() throws { folder = try Graft.scratch() }

  /// A tiny BERT from random weights, or an adapter on a checkpoint, trained for a few steps.
  private func train(_ data: String, model: String? = nil, method: String = "{peft_type: FULL}", _ overrides: String...) throws -> Graft.Result {
    let base =
      model.map { "{path: \($0)}" }
        ?? """
        {tokenizer: Data/models/seedling, config: {model_type: bert, vocab_size: 1024, hidden_size: 16, intermediate_size: 24,
          num_hidden_layers: 1, num_attention_heads: 2, max_position_embeddings: 64}}
        """
    let recipe = try folder.write(
      """
      model: \(base)
      task: sequence_classification
      method: \(method)
      data: {train: \(data), eval: \(data), max_length: 32, packing: false, shuffle: false}
      training: {max_steps: 3, batch_size: 4, learning_rate: 1.0e-2, logging_steps: 1}
      report: {html: false, tensorboard: false}
      """, "r.yaml")
    let isPlaced = overrides.contains("--output")
    return try Graft.run(["train", recipe, "--json"] + (isPlaced ? [] : ["--output", run]) + overrides)
  }

  private var run: String { folder.appending(path: "run").path }

  private func summary(_ result: Graft.Result) throws -> JSON {
    #expect(result.code == 0, "\(result.errors)")
    return try JSON(parsing: result.output)
  }

  private func lines(_ result: Graft.Result) throws -> [JSON] {
    #expect(result.code == 0, "\(result.errors)")
    return try result.output.split(separator: "\n").map { try JSON(parsing: String($0)) }
  }

  @Test func numbersOfATableAreRegressedInEveryCommand() throws {
    let data = try folder.write("text,text_pair,label\na b,c d,4.2\none,two,1.5\nred,green,0.5\nup,down,3\n", "d.csv")
    let trained = try train(data)
    #expect(trained.errors.split(separator: "\n").count { $0.contains("labels: numbers from 0.5 to 4.2") } == 1, "\(trained.errors)")
    #expect(try summary(trained)["eval_pearson"]?.double != nil)
    let model = run + "/model"
    let evaluated = try lines(Graft.run("eval", "--model", model, "--data", data, "--json"))[0]
    #expect(evaluated["pearson"]?.double != nil && evaluated["spearman"]?.double != nil && evaluated["accuracy"] == nil)
    for line in try lines(Graft.run("score", "--model", model, "--data", data)) {
      #expect(line["logits"]?.array?.count == 1 && line["label"]?.double == line["logits"]?[0]?.double)
    }
  }

  /// A base of two classes, adapted to numbers: the head is drawn anew, and the adapter carries it and its meaning.
  @Test func anAdapterKeepsItsLabelsBesideIt() throws {
    #expect(try train(try folder.write("text,label\none,a\ntwo,b\n", "classes.csv")).code == 0)
    let base = folder.appending(path: "base").path
    try FileManager.default.moveItem(atPath: run + "/model", toPath: base)
    let data = try folder.write("text,label\none,4.2\ntwo,1.5\nred,0.5\n", "d.csv")
    let adapted = try train(data, model: base, method: "{peft_type: LORA, r: 2, target_modules: [query]}", "--output", run + "-lora")
    #expect(adapted.code == 0, "\(adapted.errors)")
    let evaluated = try lines(Graft.run("eval", "--model", base, "--adapter", run + "-lora", "--data", data, "--json"))[0]
    #expect(abs((evaluated["loss"]?.double ?? 0) - (try summary(adapted)["eval_loss"]?.double ?? 1)) < 1e-6)
    let scores = try lines(Graft.run("score", "--model", base, "--adapter", run + "-lora", "--data", data))
    #expect(scores.allSatisfy { $0["logits"]?.array?.count == 1 && $0["label"]?.double != nil })
  }

  @Test func listsOfLabelsAreAnyNumberOfClasses() throws {
    let data = try folder.write(
      #"{"text": "one two", "labels": ["b", "a"]}"# + "\n" + #"{"text": "red", "labels": []}"# + "\n" + #"{"text": "up down", "labels": ["c"]}"#
        + "\n",
      "d.jsonl")
    let trained = try train(data)
    #expect(trained.errors.contains("labels: 3 classes, any number of them a text (a, b, c)"))
    let result = try summary(trained)
    for figure in ["eval_subset_accuracy", "eval_micro_f1", "eval_macro_f1"] { #expect(result[figure]?.double != nil, "\(figure)") }
    let evaluated = try lines(Graft.run("eval", "--model", run + "/model", "--data", data, "--json"))[0]
    #expect(evaluated["micro_f1"]?.double == result["eval_micro_f1"]?.double)
    #expect(abs((evaluated["loss"]?.double ?? 0) - (result["eval_loss"]?.double ?? 1)) < 1e-6)
    let configuration = try JSON(parsing: try String(contentsOfFile: run + "/model/config.json", encoding: .utf8))
    #expect(configuration["problem_type"] == "multi_label_classification")
    #expect(configuration["id2label"] == ["0": "a", "1": "b", "2": "c"])
    // What is to be scored needs no labels.
    let unlabelled = try folder.write(#"{"text": "one two"}"# + "\n", "u.jsonl")
    let line = try lines(Graft.run("score", "--model", run + "/model", "--data", unlabelled))[0]
    let positive = (line["logits"]?.array ?? []).enumerated().filter { ($1.double ?? 0) > 0 }.map { ["a", "b", "c"][$0.offset] }
    #expect(line["label"]?.array?.compactMap(\.string) == positive)
  }

  @Test func integersKeepTheCheckpointsNames() throws {
    let names = try folder.write("text,label\none,bad\ntwo,good\nthree,so-so\n", "names.csv")
    #expect(try train(names).code == 0)
    let model = folder.appending(path: "moods").path
    try FileManager.default.moveItem(atPath: run + "/model", toPath: model)
    let numbers = try folder.write("text,label\none,0\ntwo,1\n", "numbers.csv")
    let result = try train(numbers, model: model, "--output", run + "-again")
    #expect(result.errors.contains("labels: the checkpoint's 3 classes (bad, good, so-so)"), "\(result.errors)")
    #expect(try Graft.run("eval", "--model", model, "--data", numbers, "--json").output.contains("accuracy"))
  }

  @Test func weightsAndSmoothingChangeTheLossAsTorchDoes() throws {
    let data = try folder.write("text,label\none,a\ntwo,b\nthree,a\nfour,a\n", "d.csv")
    func firstLoss(_ overrides: String...) throws -> Double {
      let output = folder.appending(path: UUID().uuidString).path
      let result = try train(data, "training.max_steps=1", overrides.first ?? "training.seed=0", "--output", output)
      #expect(result.code == 0, "\(result.errors)")
      return try JSON(parsing: result.output)["final_loss"]?.double ?? .nan
    }
    let plain = try firstLoss()
    #expect(abs(try firstLoss("data.class_weights={a: 1, b: 1}") - plain) < 2e-6)
    // A mean of weights does not know their scale.
    #expect(abs(try firstLoss("data.class_weights={a: 3, b: 3}") - plain) < 2e-6)
    let onlyA = try firstLoss("data.class_weights={b: 0}")
    let onlyB = try firstLoss("data.class_weights={a: 0}")
    #expect(abs((3 * onlyA + onlyB) / 4 - plain) < 2e-6)
    #expect(abs(try firstLoss("data.class_weights={b: 5}") - (3 * onlyA + 5 * onlyB) / 8) < 2e-6)
    #expect(try firstLoss("training.label_smoothing=0.2") != plain)
    for (override, words) in [
      ("data.class_weights={c: 1}", "data.class_weights.c: there is no such class"), ("data.class_weights={a: -1}", "-1.0 is no weight"),
      ("training.label_smoothing=1", "label_smoothing"), ("data.num_labels=0", "num_labels"), ("data.labels=[a, a]", "'a' stands twice"),
      ("data.delimiter=;;", "not one ASCII character"), ("data.quoting=always", "choose one of none, csv"),
    ] {
      let result = try train(data, override)
      #expect(result.code == 64 && result.complaint.contains(words), "\(override): \(result.errors)")
    }
  }

  /// A tokenizer that says nothing of itself tells a BERT's segments apart, as its class in Transformers does.
  @Test func segmentsFollowTheTokenizersClass() throws {
    let tokenizer = folder.appending(path: "tokenizer")
    try FileManager.default.createDirectory(at: tokenizer, withIntermediateDirectories: true)
    var json = try JSON(parsing: try String(contentsOf: Graft.root.appending(path: "Data/models/seedling/tokenizer.json"), encoding: .utf8))
    func sequence(_ id: String, _ type: Int) -> JSON { ["Sequence": ["id": .string(id), "type_id": .integer(type)]] }
    json["post_processor"] = [
      "type": "TemplateProcessing", "single": [sequence("A", 0)], "pair": [sequence("A", 0), sequence("B", 1)], "special_tokens": [:],
    ]
    try Data(json.serialized().utf8).write(to: tokenizer.appending(path: "tokenizer.json"))
    let data = try folder.write("text,text_pair,label\none,two,a\nred,green,b\n", "pairs.csv")
    func logits(_ configuration: String?, segments: Int) throws -> String {
      let config = tokenizer.appending(path: "tokenizer_config.json")
      let output = folder.appending(path: UUID().uuidString).path
      try? FileManager.default.removeItem(at: config)
      if let configuration { try Data(configuration.utf8).write(to: config) }
      let recipe = """
        model: {tokenizer: \(tokenizer.path), config: {model_type: bert, vocab_size: 1024, hidden_size: 16, intermediate_size: 24,
          num_hidden_layers: 1, num_attention_heads: 2, max_position_embeddings: 64, type_vocab_size: \(segments)}}
        task: sequence_classification
        method: {peft_type: FULL}
        data: {train: \(data), max_length: 32, packing: false}
        training: {max_steps: 1, learning_rate: 1.0e-9}
        report: {html: false, tensorboard: false}
        """
      let trained = try Graft.run("train", try folder.write(recipe, "pairs.yaml"), "--output", output, "--quiet")
      #expect(trained.code == 0, "\(trained.errors)")
      return try Graft.run("score", "--model", output + "/model", "--data", data).output
    }
    let silent = try logits(nil, segments: 2)
    #expect(try logits(#"{"tokenizer_class": "BertTokenizerFast"}"#, segments: 2) == silent)
    #expect(
      try logits(#"{"tokenizer_class": "PreTrainedTokenizerFast", "model_input_names": ["input_ids", "token_type_ids"]}"#, segments: 2) == silent)
    let plain = try logits(#"{"model_input_names": ["input_ids", "attention_mask"]}"#, segments: 2)
    #expect(plain != silent)
    #expect(try logits(#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#, segments: 2) == plain)
    // A model of one segment has none to tell apart.
    #expect(try logits(nil, segments: 1).contains("logits"))
  }

  @Test func aTableWithoutAHeaderIsReadByItsColumnsNumbers() throws {
    let data = try folder.write("1;good film\n0;bad film\n", "d.csv")
    let layout = ["data.delimiter=;", "data.header=false", #"data.columns={text: "2", label: "1"}"#]
    let trained = try train(data, layout[0], layout[1], layout[2])
    #expect(trained.code == 0 && trained.errors.contains("labels: 2 classes (0, 1)"), "\(trained.errors)")
    let options = ["--delimiter", ";", "--no-header", "--column", "text=2", "--column", "label=1"]
    let evaluated = try Graft.run(["eval", "--model", run + "/model", "--data", data, "--json"] + options)
    #expect(try lines(evaluated)[0]["examples"]?.double == 2)
    #expect(try Graft.run(["score", "--model", run + "/model", "--data", data, "--delimiter", ";;"]).code == 64)
  }
}
