import GraftGeneration
import Testing

/// Order and meaning of what changes scores are those of Transformers' logits processors.
@Suite struct ScoreGoldenTests {
  @Test func scoresAreThoseOfTransformers() throws {
    let cases = try #require(try GenerationFixture.json("scores").array)
    var ruledOut = 0
    for example in cases {
      let settings = GenerationFixture.settings(try #require(example["settings"]))
      let logits = (example["logits"]?.array ?? []).map { Float($0.double ?? .nan) }
      let expected = (example["scores"]?.array ?? []).map { $0.isNull ? -Float.infinity : Float($0.double ?? .nan) }
      let scores = ScoreProcessing(settings).scores(logits, history: example["history"]?.ids ?? [])
      #expect(scores.count == expected.count)
      for (token, (score, wanted)) in zip(scores, expected).enumerated() {
        #expect(score == wanted || abs(score - wanted) < 1e-5, "\(example["settings"]?.serialized() ?? ""): token \(token)")
      }
      ruledOut += expected.count { $0 == -.infinity }
    }
    #expect(cases.count > 10 && ruledOut > 100)
  }
}
