import GraftBatching
import GraftGeneration
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import Testing

@Suite struct GeneratorTests {
  private func makeModel(_ style: AttentionStyle = .causal) throws -> any CausalLanguageModel {
    let config: JSON = [
      "attention_style": .string(style.rawValue), "model_type": "llama", "vocab_size": 40, "hidden_size": 24, "intermediate_size": 32,
      "num_hidden_layers": 2, "num_attention_heads": 4,
      "num_key_value_heads": 2, "initializer_range": 0.4,
    ]
    let scope = Scope(source: nil, catalog: SiteCatalog(), seed: 3)
    return try #require(
      try ModelFamily.build(ModelRequest(ArchitectureConfiguration(config, source: "test")), in: scope) as? any CausalLanguageModel)
  }

  private let prompts: [[Int32]] = [[1, 2, 3], [7], [5, 9, 11, 4, 30]]

  /// The cache, the batch and sequences that leave it must not change what is written.
  @Test func cachedBatchEqualsFullForwardPasses() throws {
    let model = try makeModel()
    var settings = SamplingSettings()
    settings.maxNewTokens = 12
    let together = try Generator(continuing: model, endIDs: [6])(prompts, settings)
    for (prompt, written) in zip(prompts, together) {
      var sequence = prompt
      for token in written {
        let hidden = model.hiddenStates(SequenceInput([sequence]), .inference)
        let logits = model.head.logits(hidden.rows(sequence.count - 1..<sequence.count), .inference).values
        #expect(logits.firstIndex(of: logits.max() ?? 0) == Int(token))
        sequence.append(token)
      }
      #expect(written.count == 12 || written.last == 6)
      #expect(!written.dropLast().contains(6))
    }
  }

  /// A prefix model reads its prompts in both directions and writes causally.
  @Test func cachedPrefixGenerationEqualsFullForwardPasses() throws {
    let model = try makeModel(.prefix)
    #expect(model.attentionStyle == .prefix)
    var settings = SamplingSettings()
    settings.maxNewTokens = 10
    let together = try Generator(continuing: model, endIDs: [])(prompts, settings)
    for (prompt, written) in zip(prompts, together) {
      var sequence = prompt
      for token in written {
        var input = SequenceInput([sequence])
        input.promptLengths = [prompt.count]
        let logits = model.head.logits(model.hiddenStates(input, .inference).rows(sequence.count - 1..<sequence.count), .inference).values
        #expect(logits.firstIndex(of: logits.max() ?? 0) == Int(token))
        sequence.append(token)
      }
    }
    #expect(try Generator(continuing: makeModel(), endIDs: [])(prompts, settings) != together)
  }

  @Test func bidirectionalModelsDoNotGenerate() throws {
    #expect(throws: GenerationError.self) { _ = try Generator(continuing: try makeModel(.bidirectional), endIDs: []) }
  }

  @Test func samplingRepeatsBySeedAndObeysItsLimits() throws {
    let generator = try Generator(continuing: try makeModel(), endIDs: [])
    var settings = SamplingSettings()
    settings.maxNewTokens = 20
    settings.temperature = 1
    let first = try generator(prompts, settings)
    #expect(try generator(prompts, settings) == first)
    settings.seed = 1
    #expect(try generator(prompts, settings) != first)
    let greedy = try generator(
      prompts,
      {
        var s = SamplingSettings()
        s.maxNewTokens = 20
        return s
      }())
    settings.topK = 1
    #expect(try generator(prompts, settings) == greedy)
    settings.topK = nil
    settings.topP = 1e-6
    #expect(try generator(prompts, settings) == greedy)
    settings.topP = nil
    settings.minP = 1
    #expect(try generator(prompts, settings) == greedy)
  }

  @Test func repetitionPenaltyAvoidsWhatHasOccurred() throws {
    let generator = try Generator(continuing: try makeModel(), endIDs: [])
    var settings = SamplingSettings()
    settings.maxNewTokens = 15
    settings.constraints.repetitionPenalty = 1e6
    let written = try generator([[1, 2]], settings)[0]
    #expect(Set(written).count == written.count)
  }
}
