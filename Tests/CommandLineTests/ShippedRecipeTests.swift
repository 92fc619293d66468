import Foundation
import GraftJSON
import Testing

/// Every shipped recipe for two steps, of tiny models where it makes its own, through the program.
@Suite struct ShippedRecipeTests {
  private static let sizes: [String: [String]] = [
    "llama": ["hidden_size=24", "intermediate_size=32", "num_hidden_layers=1", "num_attention_heads=2", "num_key_value_heads=1", "head_dim=12"],
    "bert": ["hidden_size=24", "intermediate_size=32", "num_hidden_layers=1", "num_attention_heads=2"],
    "t5": ["d_model=24", "d_kv=12", "d_ff=32", "num_layers=1", "num_decoder_layers=1", "num_heads=2"],
    "transformer": ["d_model=24", "d_ff=32", "num_layers=1", "num_heads=2"],
  ]

  private func train(_ recipe: String, _ changes: [String], in folder: URL) throws -> URL {
    let run = folder.appending(path: recipe)
    let steps = ["training.max_steps=2", "training.batch_size=2", "training.logging_steps=1", "report.html=false", "report.tensorboard=false"]
    let result = try Graft.run(["train", "Recipes/\(recipe).yaml"] + steps + changes + ["--output", run.path, "--quiet"])
    try #require(result.code == 0, "\(recipe): \(result.errors)")
    let summary = try JSON(parsing: Data(contentsOf: run.appending(path: "summary.json")))
    #expect(summary["final_loss"]?.double?.isFinite == true)
    return run
  }

  private func tiny(_ recipe: String) throws -> [String] {
    let text = try String(contentsOf: Graft.root.appending(path: "Recipes/\(recipe).yaml"), encoding: .utf8)
    let type = Self.sizes.keys.first { text.contains("model_type: \($0)\n") }
    return type.map { Self.sizes[$0] ?? [] }?.map { "model.config.\($0)" } ?? []
  }

  /// A few lines of a data file, so that evaluating stays short.
  private func shortened(_ path: String, in folder: URL) throws -> String {
    let lines = try String(contentsOf: Graft.root.appending(path: path), encoding: .utf8).split(separator: "\n").prefix(12)
    let file = folder.appending(path: path.replacingOccurrences(of: "/", with: "-"))
    try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: file)
    return file.path
  }

  @Test(arguments: ["bert-classification", "t5-sequence", "transformer-translation"])
  func runs(_ recipe: String) throws {
    let folder = try Graft.scratch()
    let data = ["bert-classification": "sentences", "t5-sequence": "dates", "transformer-translation": "numbers"][recipe] ?? ""
    let evaluation = try shortened("Data/\(data)/eval.jsonl", in: folder)
    let run = try train(recipe, try tiny(recipe) + ["data.eval=\(evaluation)"], in: folder)
    let task = recipe.hasPrefix("bert") ? "sequence_classification" : "seq2seq_lm"
    let result = try Graft.run("eval", "--model", run.path + "/model", "--data", evaluation, "--task", task, "--json")
    #expect(result.code == 0, "\(result.errors)")
    #expect(try JSON(parsing: result.output)[task == "seq2seq_lm" ? "exact_match" : "accuracy"]?.double != nil)
  }

  /// The model that masked language modelling made is the base of the classifier's adapter.
  @Test func encoderIsPretrainedAndThenTunedWithLoRA() throws {
    let folder = try Graft.scratch()
    let evaluation = try shortened("Data/sentences/eval.jsonl", in: folder)
    let base = try train("bert-pretraining", try tiny("bert-pretraining") + ["data.eval=\(evaluation)"], in: folder)
    let run = try train("bert-lora", ["model.path=\(base.path)/model", "data.eval=\(evaluation)"], in: folder)
    let result = try Graft.run("score", "--model", base.path + "/model", "--adapter", run.path, "--data", evaluation)
    #expect(result.code == 0, "\(result.errors)")
    let labels = try result.output.split(separator: "\n").map { try JSON(parsing: String($0))["label"]?.string ?? "" }
    #expect(labels.count == 12 && Set(labels).isSubset(of: ["positive", "negative", "mixed", "neutral"]))
    let summary = try JSON(parsing: Data(contentsOf: run.appending(path: "summary.json")))
    func figures(_ arguments: String...) throws -> JSON {
      let result = try Graft.run(["eval", "--data", evaluation, "--json"] + arguments)
      try #require(result.code == 0, "\(result.errors)")
      return try JSON(parsing: result.output)
    }
    let adapted = try figures("--model", base.path + "/model", "--adapter", run.path)
    #expect(adapted["accuracy"]?.double == summary["eval_accuracy"]?.double && adapted["accuracy"] != nil)

    // Merged, the classifier is part of the checkpoint, which says what it is.
    let merged = folder.appending(path: "merged").path
    try #require(try Graft.run("merge", "--model", base.path + "/model", "--adapter", run.path, "--output", merged).code == 0)
    let folded = try #require(try figures("--model", merged)["loss"]?.double)
    #expect(abs(folded - (adapted["loss"]?.double ?? .nan)) < 1e-5)
    let configuration = try JSON(parsing: Data(contentsOf: URL(fileURLWithPath: merged + "/config.json")))
    #expect(configuration["architectures"]?[0]?.string == "BertForSequenceClassification")
    #expect(configuration["label2id"]?.object?.keys.sorted() == ["mixed", "negative", "neutral", "positive"])

    // So it is where everything was trained.
    let whole = try train(
      "bert-lora", ["model.path=\(base.path)/model", "data.eval=\(evaluation)", "method={peft_type: FULL}"], in: try Graft.scratch())
    let own = try #require(try figures("--model", whole.path + "/model")["loss"]?.double)
    let trained = try JSON(parsing: Data(contentsOf: whole.appending(path: "summary.json")))
    #expect(abs(own - (trained["eval_loss"]?.double ?? .nan)) < 1e-6)
  }

  @Test func quickstartRuns() throws {
    let folder = try Graft.scratch()
    _ = try train("quickstart", ["data.eval=\(try shortened("Data/instructions/eval.jsonl", in: folder))"], in: folder)
  }

  /// Its corpus is generated, so a part of the shipped stories stands in for it.
  @Test func seedlingIsPretrained() throws {
    let folder = try Graft.scratch()
    let stories = try shortened("Data/stories/train.jsonl", in: folder)
    _ = try train("pretrain-seedling", try tiny("pretrain-seedling") + ["data.train=\(stories)", "data.eval=\(stories)"], in: folder)
  }

  /// T5's own pre-training, and BERT's with its second objective.
  @Test func objectivesOverPlainTexts() throws {
    let folder = try Graft.scratch()
    let stories = try shortened("Data/stories/train.jsonl", in: folder)
    let texts = ["data.train=\(stories)", "data.eval=\(stories)", "data.format=auto"]
    let t5 = try train("t5-sequence", try tiny("t5-sequence") + texts + ["data.objective=span_corruption", "data.max_length=64"], in: folder)
    #expect(try String(contentsOf: t5.appending(path: "metrics.jsonl"), encoding: .utf8).contains("eval_loss"))
    let bert = try train("bert-pretraining", try tiny("bert-pretraining") + texts + ["data.next_sentence=true"], in: folder)
    #expect(try String(contentsOf: bert.appending(path: "metrics.jsonl"), encoding: .utf8).contains("eval_next_sentence_accuracy"))
  }
}
