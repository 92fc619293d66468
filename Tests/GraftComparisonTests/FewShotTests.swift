import Foundation
import GraftComparison
import GraftDatasets
import GraftJSON
import GraftRecipes
import GraftTestSupport
import Testing

/// Examples before a question, as in-context learners are asked.
@Suite struct FewShotTests {
  private func record(_ fields: JSONObject) -> DataRecord { DataRecord(fields, file: "d.jsonl", line: 1) }

  @Test func examplesStandBeforeAQuestion() throws {
    let examples = [record(["prompt": "1 + 1 =", "completion": " 2"]), record(["prompt": "2 + 3 =", "completion": " 5"])]
    let asked = try record(["prompt": "4 + 4 =", "completion": " 8"]).following(examples, format: .promptCompletion)
    #expect(asked.fields == ["prompt": "1 + 1 = 2\n\n2 + 3 = 5\n\n4 + 4 =", "completion": " 8"])
    let source = try record(["source": "c", "target": "d"]).following([record(["source": "a", "target": "b"])], format: .seq2seq)
    #expect(source.fields == ["source": "ab\n\nc", "target": "d"])
    #expect(throws: DatasetError.self) { try record(["text": "t"]).following([record(["text": "u"])], format: .text) }
  }

  @Test func conversationsGoOnFromExamples() throws {
    func talk(_ question: String, _ answer: String) -> DataRecord {
      let turns: [JSON] = [
        ["role": "system", "content": "Be brief."], ["role": "user", "content": .string(question)],
        ["role": "assistant", "content": .string(answer)],
      ]
      return record(["messages": .array(turns)])
    }
    let asked = try talk("two?", "2").following([talk("one?", "1")], format: .messages)
    let turns = try #require(asked.fields["messages"]?.array)
    #expect(turns.map { $0["content"]?.string } == ["Be brief.", "one?", "1", "two?", "2"])
  }

  /// A line of results for every number of examples, under every seed; what is done is not done again, and what does not fit says why.
  @Test func shownExamplesAreLinesOfAComparison() throws {
    let folder = try TemporaryDirectory()
    let lines = (0..<6).map { "{\"prompt\": \"say \($0):\", \"completion\": \" \($0)\"}\n" }
    try folder.write(lines.joined().utf8, to: "data.jsonl")
    func recipe(_ extra: String) throws -> Recipe {
      try Recipe(
        yaml: """
          model:
            tokenizer: \(Repository.root.path)/Data/models/seedling
            config: {model_type: llama, vocab_size: 1024, hidden_size: 8, intermediate_size: 6, num_hidden_layers: 1, num_attention_heads: 2,
                     num_key_value_heads: 1, initializer_range: 0.2}
          data: {train: \(folder.path)/data.jsonl, eval: \(folder.path)/data.jsonl, packing: false, max_length: 32}
          training: {max_steps: 1, batch_size: 2, learning_rate: 0.01}
          seeds: [0, 1]
          methods:
            - {name: LoRA, method: {peft_type: LORA, r: 2}}
          \(extra)
          """, file: "compared.yaml")
    }
    var reused: [String] = []
    func run(_ extra: String) throws -> GraftComparison.ComparisonResult {
      reused = []
      return try #require(
        try Comparison(recipe(extra), output: folder.file("out")).run { event in
          if case .finished(let record, true) = event { reused.append(record.name) }
        })
    }
    _ = try run("few_shot: [4]")
    let result = try run("few_shot: [4, 7]")
    #expect(reused == ["untouched base", "4 examples in the prompt", "4 examples in the prompt", "LoRA", "LoRA"])
    #expect(result.rows.map(\.name) == ["untouched base", "4 examples in the prompt", "7 examples in the prompt", "LoRA"])
    let shown = result.rows[1]
    #expect(shown.runCount == 2 && shown.failureCount == 0 && shown.score.isFinite && shown.trainableParameters == 0)
    #expect(result.rows[2].failureCount == 2 && result.rows[2].message.contains("there are 6 examples to train on"))
  }

  @Test(arguments: ["[]", "[0]", "[2, 2]"]) func numbersOfExamplesAreChecked(list: String) {
    #expect(throws: (any Error).self) {
      try Recipe(yaml: "{data: {train: t}, model: {path: m}, methods: [{name: a, method: {peft_type: LORA}}], few_shot: \(list)}", file: "r.yaml")
    }
  }
}
