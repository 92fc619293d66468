import Foundation
import GraftJSON
import Testing

/// Texts that are longer than the model's positions are read in windows that overlap by half.
@Suite struct LongTextTests {
  private let folder: URL

  init() throws { folder = try Graft.scratch() }

  private func scores(_ arguments: String...) throws -> (lines: [JSON], errors: String) {
    let result = try Graft.run(["score", "--model", try TinyModel.path] + arguments)
    #expect(result.code == 0, "\(result.errors)")
    return (try result.output.split(separator: "\n").map { try JSON(parsing: String($0)) }, result.errors)
  }

  private static let text = (0..<400).map { "the \($0) red birds sing. " }.joined()

  @Test func aLongTextIsScoredInOneLine() throws {
    let (lines, errors) = try scores("--data", try folder.write(Self.text, "long.txt"))
    #expect(
      errors.split(separator: "\n").count { $0.contains("1 of 1 texts are longer than 128 tokens") && $0.contains("every token is scored once") } == 1
    )
    #expect(lines.count == 1)
    let ids = (lines[0]["tokens"]?.array ?? []).compactMap(\.int)
    let found = (lines[0]["logprobs"]?.array ?? []).map(\.double)
    #expect(ids.count > 1000 && found.count == ids.count)
    #expect(found[0] == nil && found[1...].allSatisfy { $0 != nil })
    // Each token is predicted from what stands before it in its window.
    for start in [0, 64, 512] {
      let window = try folder.write(JSON.object(["ids": .array(ids[start..<start + 128].map(JSON.integer))]).serialized() + "\n", "window.jsonl")
      let alone = (try scores("--data", window).lines[0]["logprobs"]?.array ?? []).map(\.double)
      for place in (start == 0 ? 1 : 64)..<128 {
        #expect(abs((alone[place] ?? .nan) - (found[start + place] ?? .nan)) < 1e-4, "\(start) + \(place)")
      }
    }
    let loss = -found.compactMap { $0 }.reduce(0, +) / Double(found.count - 1)
    let evaluated = try Graft.run("eval", "--model", try TinyModel.path, "--data", folder.path + "/long.txt", "--json")
    let figures = try JSON(parsing: evaluated.output)
    #expect(abs((figures["loss"]?.double ?? .nan) - loss) < 1e-5 && figures["examples"]?.double == 1)
    #expect(evaluated.errors.contains("texts are longer than 128 tokens"))
  }

  @Test func theLengthMayBeChosen() throws {
    let data = try folder.write(#"{"text": "\#(Self.text.prefix(900))"}"# + "\n" + #"{"text": "short"}"# + "\n", "d.jsonl")
    let (lines, errors) = try scores("--data", data, "--max-length", "16")
    #expect(lines.count == 2 && errors.contains("1 of 2 texts are longer than 16 tokens"))
    #expect(lines.map { $0["index"]?.int } == [0, 1])
    #expect((lines[0]["logprobs"]?.array ?? []).count { $0.isNull } == 1)
    #expect(try scores("--data", data, "--max-length", "16", "--quiet").errors.isEmpty)
    #expect(try Graft.run("score", "--model", try TinyModel.path, "--data", data, "--max-length", "1").code == 64)
  }

  /// A hundred thousand bytes on a small model take seconds, not the square of what they should.
  @Test(.timeLimit(.minutes(2))) func aHundredThousandBytesTakeLinearTime() throws {
    let data = try folder.write(String(repeating: Self.text, count: 10), "long.txt")
    let start = ContinuousClock.now
    let result = try Graft.run("eval", "--model", try TinyModel.path, "--data", data, "--json")
    #expect(result.code == 0, "\(result.errors)")
    #expect(ContinuousClock.now - start < .seconds(60))
  }

  @Test func classifiedTextsAreCutToThePositions() throws {
    let data = try folder.write("text,label\n\(Self.text.prefix(2000)),a\nshort,b\n", "d.csv")
    let recipe = """
      model: {tokenizer: Data/models/seedling, config: {model_type: bert, vocab_size: 1024, hidden_size: 16, intermediate_size: 24,
        num_hidden_layers: 1, num_attention_heads: 2, max_position_embeddings: 64}}
      task: sequence_classification
      method: {peft_type: FULL}
      data: {train: \(data), max_length: 32, packing: false}
      training: {max_steps: 1}
      report: {html: false, tensorboard: false}
      """
    let output = folder.appending(path: "run").path
    #expect(try Graft.run("train", try folder.write(recipe, "r.yaml"), "--output", output, "--quiet").code == 0)
    for command in ["eval", "score"] {
      let result = try Graft.run(command, "--model", output + "/model", "--data", data)
      #expect(result.code == 0 && result.errors.contains("1 of 2 examples are longer than 64 tokens and were cut"), "\(result.errors)")
    }
  }

  /// Sources are cut as the model's examples are, also where they are answered.
  @Test(arguments: [
    (
      "seq2seq_lm",
      "model_type: bart, vocab_size: 1024, d_model: 16, encoder_layers: 1, decoder_layers: 1, encoder_attention_heads: 2, "
        + "decoder_attention_heads: 2, encoder_ffn_dim: 24, decoder_ffn_dim: 24, max_position_embeddings: 32, decoder_start_token_id: 2"
    ),
    ("causal_lm", "model_type: gpt2, vocab_size: 1024, n_embd: 16, n_layer: 1, n_head: 2, n_positions: 32"),
  ])
  func questionsBeyondThePositionsDoNotTrap(task: String, config: String) throws {
    let keys = task == "causal_lm" ? ["prompt", "completion"] : ["source", "target"]
    let lines = [(String(Self.text.prefix(600)), "one"), ("two", "three")].map { long, answer in
      (JSON.object([keys[0]: .string(long), keys[1]: .string(answer)])).serialized() + "\n"
    }
    let data = try folder.write(lines.joined(), "questions.jsonl")
    let recipe = """
      model: {tokenizer: Data/models/seedling, config: {\(config)}}
      task: \(task)
      method: {peft_type: FULL}
      data: {train: \(data), eval: \(data), max_length: 24, packing: false}
      training: {max_steps: 1}
      report: {html: false, tensorboard: false}
      """
    let output = folder.appending(path: "run").path
    let trained = try Graft.run("train", try folder.write(recipe, "r.yaml"), "--output", output)
    #expect(trained.code == 0 && trained.errors.contains("are longer than max_length 24"), "\(trained.errors)")
    let evaluated = try Graft.run("eval", "--model", output + "/model", "--data", data, "--json")
    #expect(evaluated.code == 0, "\(evaluated.errors)")
    #expect(try JSON(parsing: evaluated.output)["answers"]?.double == (task == "causal_lm" ? 1 : 2))
  }
}
