import Foundation
import GraftTestSupport
import Testing

/// Data sets in the forms that they have on the hub train with at most one line of mapping.
@Suite struct PublicLayoutTests {
  /// A small file in the form of a data set.
  struct Layout: Sendable, CustomTestStringConvertible {
    let file: String
    var task = "causal_lm"
    /// The line of mapping in `data:`.
    var mapping = ""
    let text: String

    var testDescription: String { file }
  }

  private static let layouts: [Layout] = [
    Layout(
      file: "alpaca.json",
      text: """
        [{"instruction": "Name a color.", "input": "", "output": "Red."},
         {"instruction": "Add them.", "input": "1 and 2", "output": "3"}]
        """),
    Layout(
      file: "sharegpt.json",
      text: """
        [{"id": "a", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello!"}]},
         {"id": "b", "conversations": [{"from": "system", "value": "Be kind."}, {"from": "human", "value": "Bye"}, {"from": "gpt", "value": "Bye!"}]}]
        """),
    Layout(
      file: "openai.jsonl",
      text: """
        {"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]}
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "No.", "weight": 0}, {"role": "user", "content": "So?"}, {"role": "assistant", "content": "Yes."}]}
        """),
    Layout(
      file: "dolly.jsonl",
      text: """
        {"instruction": "When was it?", "context": "It was in 1999.", "response": "In 1999.", "category": "closed_qa"}
        {"instruction": "Name a color.", "context": "", "response": "Red.", "category": "open_qa"}
        """),
    Layout(
      file: "gsm8k.jsonl",
      text: """
        {"question": "Tom has 2 cats and gets 3. How many?", "answer": "He has 2 + 3 = <<2+3=5>>5 cats.\\n#### 5"}
        {"question": "Two and two?", "answer": "Four.\\n#### 4"}
        """),
    Layout(
      file: "squad.jsonl", mapping: #"columns: {prompt: "{context} Question: {question}", completion: answers.text.0}"#,
      text: """
        {"id": "1", "title": "T", "context": "Rome is old.", "question": "What is old?", "answers": {"text": ["Rome"], "answer_start": [0]}}
        {"id": "2", "title": "T", "context": "Rome is old.", "question": "How is Rome?", "answers": {"text": ["old", "old"], "answer_start": [8, 8]}}
        """),
    Layout(
      file: "sst2.tsv", task: "sequence_classification", mapping: "columns: {text: sentence}",
      text: "sentence\tlabel\nhide new \"secretions\"\t0\na joy ,\t1\n"),
    Layout(
      file: "headerless.csv", task: "sequence_classification", mapping: #"header: false, columns: {text: "1", label: "2"}"#,
      text: "\"bad, really\",0\ngood,1\n"),
    Layout(
      file: "snli.jsonl", task: "sequence_classification", mapping: "columns: {text: premise, text_pair: hypothesis}",
      text: """
        {"premise": "A man eats.", "hypothesis": "A man has food.", "label": 0}
        {"premise": "A man eats.", "hypothesis": "Nobody eats.", "label": 2}
        {"premise": "A man eats.", "hypothesis": "It rains.", "label": 1}
        """),
    Layout(
      file: "xsum.jsonl", task: "seq2seq_lm", mapping: "columns: {source: document, target: summary}",
      text: """
        {"document": "It rained all day in the town.", "summary": "It rained.", "id": "1"}
        {"document": "The sun shone on the sea.", "summary": "It was sunny.", "id": "2"}
        """),
    Layout(
      file: "cnn.jsonl", mapping: "columns: {prompt: article, completion: highlights}",
      text: """
        {"article": "It rained all day in the town. ", "highlights": "It rained.", "id": "1"}
        {"article": "The sun shone on the sea. ", "highlights": "It was sunny.", "id": "2"}
        """),
    Layout(
      file: "preferences.jsonl", mapping: "columns: {messages: chosen}",
      text: """
        {"prompt": "Hi", "chosen": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}], "rejected": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "No."}]}
        """),
    Layout(
      file: "pairs.jsonl", mapping: "columns: {completion: chosen}",
      text: """
        {"prompt": "Say hello.", "chosen": "Hello!", "rejected": "No."}
        """),
  ]

  private static let models = [
    "causal_lm": "model_type: llama, vocab_size: 1024, hidden_size: 16, intermediate_size: 24, num_hidden_layers: 1, num_attention_heads: 2",
    "sequence_classification":
      "model_type: bert, vocab_size: 1024, hidden_size: 16, intermediate_size: 24, num_hidden_layers: 1, num_attention_heads: 2",
    "seq2seq_lm":
      "model_type: t5, vocab_size: 1024, d_model: 16, d_kv: 8, d_ff: 24, num_layers: 1, num_heads: 2, pad_token_id: 0, eos_token_id: 1, decoder_start_token_id: 0",
  ]

  @Test(arguments: layouts) func trains(layout: Layout) throws {
    let folder = try Graft.scratch()
    let data = try folder.write(layout.text, layout.file)
    let recipe = try folder.write(
      """
      model: {tokenizer: Data/models/seedling, config: {\(Self.models[layout.task] ?? "")}}
      task: \(layout.task)
      method: {peft_type: FULL}
      data:
        train: \(data)
        max_length: 400
        packing: false
      \(layout.mapping.isEmpty ? "" : "  " + layout.mapping.replacing("header: false, ", with: "header: false\n  "))
      training: {max_steps: 2, batch_size: 2, learning_rate: 1.0e-3}
      report: {html: false, tensorboard: false}
      """, "recipe.yaml")
    let result = try Graft.run("train", recipe, "--output", folder.appending(path: "run").path)
    #expect(result.code == 0, "\(result.errors)")
    // A look reads the same.
    let look = try Graft.run("data", recipe)
    #expect(look.code == 0, "\(look.output)\(look.errors)")
  }
}
