import GraftBatching
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import GraftTestSupport
import Testing

@Suite("What cannot be built is named")
struct ModelErrorTests {
  private func message(_ build: () throws -> Void) -> String {
    do {
      try build()
      return ""
    } catch { return "\(error)" }
  }

  private func build(_ config: JSON, task: LearningTask = .causalLM, style: AttentionStyle? = nil, from source: SyntheticSource? = nil) throws {
    let scope = Scope(source: source, catalog: SiteCatalog())
    _ = try ModelFamily.build(ModelRequest(ArchitectureConfiguration(config, source: "config.json"), task: task, style: style), in: scope)
  }

  @Test(arguments: ["bert-tokens", "bert-pretraining", "roberta-untied", "t5", "t5-gated", "bart", "distilbert", "gpt2-regression"])
  func missingAndMisshapenTensors(_ name: String) throws {
    let fixture = try ModelFixture(name)
    let tensor = try #require(SyntheticSource(fixture).tensorNames.first { $0.hasSuffix(".weight") && $0.contains(".0.") })
    let missing = SyntheticSource(fixture)
    missing.remove(tensor)
    #expect(message { _ = try fixture.model(from: missing) }.contains("no tensor \(tensor)"))
    let misshapen = SyntheticSource(fixture)
    misshapen.reshape(tensor, to: [3, 4])
    #expect(message { _ = try fixture.model(from: misshapen) }.contains("\(tensor) has shape [3, 4]"))
    // As many elements are not enough.
    let whole = SyntheticSource(fixture)
    let flat = Shape([try #require(whole.shapes[tensor]).shape.elementCount, 1])
    whole.reshape(tensor, to: flat)
    #expect(message { _ = try fixture.model(from: whole) }.contains("\(tensor) has shape \(flat)"))
  }

  /// A configuration of another size than the weights is told at the first tensor that shows it, with both shapes.
  @Test(arguments: [
    ("bert-tokens", "intermediate_size", 12, "bert.encoder.layer.0.intermediate.dense.weight has shape [10, 8]; the configuration implies [12, 8]"),
    ("bert-tokens", "vocab_size", 20, "bert.embeddings.word_embeddings.weight has shape [19, 8]; the configuration implies [20, 8]"),
    ("t5", "d_kv", 4, "encoder.block.0.layer.0.SelfAttention.q.weight has shape [6, 8]; the configuration implies [8, 8]"),
    ("t5", "relative_attention_num_buckets", 6, "relative_attention_bias.weight has shape [4, 2]; the configuration implies [6, 2]"),
    ("gpt2-regression", "n_inner", 30, "transformer.h.0.mlp.c_fc.weight has shape [8, 32]; the configuration implies [8, 30]"),
    ("gpt2-regression", "n_layer", 3, "no tensor transformer.h.2.ln_1.weight [8]; the configuration asks for it"),
  ])
  func contradictingConfigurations(_ name: String, _ key: String, _ value: Int, _ complaint: String) throws {
    let fixture = try ModelFixture(name)
    let scope = Scope(source: SyntheticSource(fixture), catalog: SiteCatalog())
    let config = ArchitectureConfiguration((fixture.json["config"] ?? .null).setting(key, .integer(value)), source: "config.json")
    let found = message { _ = try ModelFamily.build(ModelRequest(config, task: fixture.task), in: scope) }
    #expect(found.contains(complaint), "\(found)")
    #expect(!found.contains("\n"))
  }

  /// The second objective is BERT's alone.
  @Test func unsupportedPairs() {
    func pairs(_ tiny: TinyModel) -> String {
      let scope = Scope(source: nil, catalog: SiteCatalog())
      let config = ArchitectureConfiguration(tiny.configuration, source: "config.json")
      return message { _ = try ModelFamily.build(ModelRequest(config, task: tiny.task, pairsSentences: true), in: scope) }
    }
    #expect(pairs(TinyModel.masked[0]) == "")
    #expect(pairs(TinyModel.masked[1]).contains("unsupported next_sentence for roberta"))
    #expect(pairs(TinyModel.causal[0]).contains("unsupported next_sentence for gpt2"))
  }

  /// A classifier that the checkpoint lacks is drawn; the rest is not.
  @Test func aFreshHeadIsDrawn() throws {
    let fixture = try ModelFixture("bert-tokens")
    let source = SyntheticSource(fixture)
    source.remove("classifier.weight")
    source.remove("classifier.bias")
    let model = try #require(try fixture.model(from: source) as? any TokenClassifier)
    #expect(model.labelCount == 4)
    #expect(model.catalog.parameter("classifier.weight")?.value.values.contains { $0 != 0 } == true)
  }

  @Test func unsupportedThings() {
    let unknown = #"config.json: model_type: unsupported model_type "gptt2"; did you mean gpt2?"#
    #expect(message { try build(["model_type": "gptt2"]) } == unknown)
    let bert: JSON = [
      "model_type": "bert", "vocab_size": 9, "hidden_size": 4, "intermediate_size": 4, "num_hidden_layers": 1,
      "num_attention_heads": 2,
    ]
    #expect(message { try build(bert) }.contains("unsupported task causal_lm for bert"))
    #expect(message { try build(bert, task: .seq2seqLM) }.contains("it can do masked_lm, sequence_classification, token_"))
    #expect(message { try build(TinyModel.sequenceToSequence[0].configuration, task: .maskedLM) }.contains("unsupported task masked_lm for t5"))
    func changed(_ key: String, _ value: JSON, task: LearningTask = .maskedLM) -> String {
      message { try build(bert.setting(key, value), task: task) }
    }
    #expect(changed("hidden_act", "swoosh") == #"config.json: hidden_act: unsupported activation "swoosh""#)
    #expect(changed("is_decoder", true) == "config.json: is_decoder: unsupported value true; it must be false")
    #expect(changed("num_attention_heads", 3) == "config.json: num_attention_heads: 3 heads do not divide 4 columns")
    #expect(changed("problem_type", "ranking", task: .sequenceClassification).contains(#"unknown problem "ranking""#))
  }

  /// Attention is open in decoders only, and a prefix is one of something.
  @Test func unfittingAttention() {
    let bert = TinyModel.masked[0].configuration
    let t5 = TinyModel.sequenceToSequence[0].configuration
    let llama = TinyModel.causal[1].configuration
    #expect(message { try build(bert, task: .maskedLM, style: .prefix) }.contains("attention: prefix is not for bert"))
    #expect(message { try build(bert, task: .maskedLM, style: .bidirectional) } == "")
    #expect(message { try build(t5, task: .seq2seqLM, style: .bidirectional) }.contains("attention: bidirectional is not for t5"))
    #expect(message { try build(t5, task: .seq2seqLM, style: .causal) } == "")
    #expect(message { try build(llama, task: .sequenceClassification, style: .prefix) }.contains("attention: prefix is for prompts"))
    #expect(message { try build(llama.setting("attention_style", "both")) }.contains(#"attention_style: unknown style "both""#))
  }

  /// An index outside the tables is found before it is looked up.
  @Test func alienTokensAndLongSequences() throws {
    let model = try TinyModel.causal[0].build()
    #expect(message { try model.check(Array(repeating: 22, count: 40), of: "a") } == "")
    #expect(message { try model.check([1, 23], of: "a:2") }.contains("a:2: token 23 is outside the model's vocabulary of 23"))
    #expect(message { try model.check([-1], of: "a") }.contains("token -1"))
    #expect(message { try model.check(Array(repeating: 0, count: 41), of: "a") }.contains("41 tokens are more than the 40 positions"))
  }
}
