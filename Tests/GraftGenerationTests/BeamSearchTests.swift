import GraftBatching
import GraftGeneration
import GraftJSON
import GraftLayers
import GraftTestSupport
import Testing

@Suite struct BeamSearchTests {
  /// Token for token, alone and in a batch.
  @Test(arguments: GenerationFixture.models) func equalsTransformers(_ name: String) throws {
    let fixture = try GenerationFixture.json("beams")
    let model = try GenerationFixture.model(name)
    let prompts = (fixture["prompts"]?.array ?? []).map(\.tokenIDs)
    let cases = (fixture["cases"]?.array ?? []).filter { $0["model"]?.string == name }
    #expect(cases.count > 40)
    for example in cases {
      let settings = GenerationFixture.settings(example)
      let expected = (example["outputs"]?.array ?? []).map(\.tokenIDs)
      let generator = try Generator(continuing: model, endIDs: Set(example["ends"]?.tokenIDs ?? []))
      #expect(try generator(prompts, settings) == expected, "\(example.serialized())")
      #expect(try prompts.map { try generator([$0], settings)[0] } == expected, "\(example.serialized())")
    }
  }

  /// The search finds more probable sequences than the most probable token at every step does.
  @Test func findsMoreProbableSequences() throws {
    let model = try GenerationFixture.model("gpt2")
    let generator = try Generator(continuing: model, endIDs: [])
    var settings = SamplingSettings()
    settings.maxNewTokens = 6
    let prompts: [[Int32]] = [[3, 7, 1, 18], [11], [5, 16, 8, 8, 13, 4]]
    let greedy = try generator(prompts, settings)
    settings.beams = BeamSettings(count: 8)
    let searched = try generator(prompts, settings)
    var gain = 0.0
    for (prompt, (plain, found)) in zip(prompts, zip(greedy, searched)) {
      let difference = try logProbability(found, after: prompt, model) - logProbability(plain, after: prompt, model)
      #expect(difference > -1e-5)
      gain += difference
    }
    #expect(gain > 0.1)
  }

  @Test func endsWhereTheCallerSays() throws {
    let generator = try Generator(continuing: try GenerationFixture.model("llama"), endIDs: [])
    var settings = SamplingSettings()
    settings.beams = BeamSettings(count: 3)
    settings.maxNewTokens = 9
    let whole = try generator([[3, 7, 1]], settings)[0]
    #expect(whole.count == 9)
    let stop = whole[4]
    let cut = try generator([[3, 7, 1]], settings) { _, written in written.last == stop }[0]
    #expect(cut.count < 9 && cut.last == stop)
    #expect(cut.count { $0 == stop } == 1)
  }

  private func logProbability(_ tokens: [Int32], after prompt: [Int32], _ model: any LanguageModel) throws -> Double {
    let sequence = prompt + tokens
    let hidden = model.hiddenStates(SequenceInput([sequence]), .inference)
    let predictions = model.head.predictions(hidden.rows(prompt.count - 1..<sequence.count - 1), targets: tokens)
    return predictions.reduce(0) { $0 + Double($1.logProbability) }
  }
}
