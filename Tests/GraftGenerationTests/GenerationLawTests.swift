import GraftBatching
import GraftGeneration
import GraftLayers
import GraftTensors
import Testing

@Suite struct GenerationLawTests {
  private let prompts: [[Int32]] = [[3, 7, 1, 18], [11], [5, 16, 8, 8, 13, 4]]

  private func settings(_ temperature: Float, count: Int = 10) -> SamplingSettings {
    var settings = SamplingSettings()
    (settings.temperature, settings.maxNewTokens, settings.constraints.repetitionPenalty) = (temperature, count, 1.2)
    return settings
  }

  /// A prompt's answer does not know what else is in its batch, whether it is drawn or not.
  @Test(arguments: GenerationFixture.models, [Float(0), 1.1]) func aBatchIsItsPrompts(_ name: String, _ temperature: Float) throws {
    let model = try GenerationFixture.model(name)
    let settings = settings(temperature)
    let end = try Generator(continuing: model, endIDs: [])(prompts, settings)[0][3]
    let generator = try Generator(continuing: model, endIDs: [end])
    let together = try generator(prompts, settings)
    let apart = try prompts.indices.map { try generator([prompts[$0]], settings, numbers: [$0])[0] }
    #expect(together == apart)
    #expect(try prompts.indices.reversed().map { try generator([prompts[$0]], settings, numbers: [$0])[0] } == apart.reversed())
    #expect(Set(together.map(\.count)).count > 1, "all answers are equally long: nothing has left the batch")
  }

  /// An encoder-decoder that keeps nothing writes the same.
  @Test(arguments: ["t5", "bart"]) func aCachedAnswerIsAnUncachedOne(_ name: String) throws {
    let model = try #require(try GenerationFixture.model(name) as? any SequenceToSequenceModel)
    var settings = SamplingSettings()
    settings.maxNewTokens = 8
    let written = try Generator(continuing: model, endIDs: [])(prompts, settings)
    for (prompt, answer) in zip(prompts, written) {
      let source = model.encode(SequenceInput([prompt]), .inference)
      for (place, token) in answer.enumerated() {
        let input = [model.decoderStartID] + answer.prefix(place)
        let hidden = model.decode(SequenceInput([input]), over: source, .inference)
        let logits = model.head.logits(hidden.rows(place..<place + 1), .inference).values
        #expect(logits.firstIndex(of: logits.max() ?? 0) == Int(token))
      }
    }
  }

  @Test(arguments: ["gpt2", "bart"]) func writingEndsWhereThePositionsEnd(_ name: String) throws {
    let generator = try Generator(continuing: try GenerationFixture.model(name), endIDs: [])
    let start = name == "bart" ? 1 : 4
    #expect(try generator([prompts[0]], settings(0, count: 100))[0].count == 32 - start + 1)
    var searching = settings(0, count: 100)
    searching.beams = BeamSettings(count: 2)
    searching.beams?.earlyStopping = .never
    #expect(try generator([prompts[0]], searching)[0].count == 32 - start + 1)
  }

  @Test func logitsThatAreNotFiniteAreAnError() throws {
    let model = try GenerationFixture.model("llama")
    let generator = try Generator(continuing: model, endIDs: [])
    #expect(try generator(prompts, settings(1)).count == 3)
    try #require(model.catalog.parameters.last).update { $0[0] = .nan }
    #expect { try generator(prompts, settings(1)) } throws: { ($0 as? GenerationError)?.kind == .nonFinite }
  }
}
