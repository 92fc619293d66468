import GraftGeneration
import GraftTestSupport
import Testing

/// Order and meaning of what changes scores are those of Transformers' logits processors.
@Suite struct ScoreGoldenTests {
  @Test func scoresAreThoseOfTransformers() throws {
    let cases = try #require(try GenerationFixture.json("scores").array)
    var ruledOut = 0
    for example in cases {
      let chosen = try #require(example["settings"])
      var settings = GenerationFixture.settings(chosen)
      if chosen["num_beams"] != nil { settings.temperature = 1 }
      let logits = example["logits"]?.floats ?? []
      let expected = (example["scores"]?.array ?? []).map { $0.isNull ? -Float.infinity : Float($0.double ?? .nan) }
      let history = example["history"]?.tokenIDs ?? []
      // A beam keeps a token more than there are ends, which are two.
      var scores = logits
      LogitsProcessors(settings).process(
        &scores, keeping: chosen["num_beams"] == nil ? 1 : 3,
        in: DecodingContext(history: history, givenCount: history.count, source: history, limit: 9))
      #expect(scores.count == expected.count)
      for (token, (score, wanted)) in zip(scores, expected).enumerated() {
        #expect(score == wanted || abs(score - wanted) < 1e-5, "\(chosen.serialized()): token \(token)")
      }
      ruledOut += expected.count { $0 == -.infinity }
    }
    #expect(cases.count > 20 && ruledOut > 300)
  }
}
