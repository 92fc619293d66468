import GraftBatching
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import GraftTestSupport
import Testing

/// Texts of a Qwen that are longer than those of its pretraining, of four tokens.
@Suite struct LongTextTests {
  private static let text: [Int32] = [1, 4, 9, 16, 6, 17, 11, 7, 5, 5, 7, 11, 17]

  private func model(_ changes: JSON = [:]) throws -> any CausalLanguageModel {
    let fixture = try ModelFixture("qwen-long")
    let config = ArchitectureConfiguration((fixture.json["config"] ?? .null).setting(changes), source: "config.json")
    let scope = Scope(source: SyntheticSource(fixture), catalog: SiteCatalog())
    return try #require(try ModelFamily.build(ModelRequest(config), in: scope) as? any CausalLanguageModel)
  }

  /// The states of the text's rows, read in parts.
  private func states(_ model: any CausalLanguageModel, in parts: [Int], of text: [Int32] = text) -> [Float] {
    let state = model.makeState(sequences: 1)
    var (read, found) = (0, [Float]())
    for count in parts {
      let input = SequenceInput([Array(text[read..<read + count])], startingAt: state.lengths)
      found += model.hiddenStates(input, Pass(state: state)).values
      state.advance(by: [count])
      read += count
    }
    return found
  }

  @Test func `a sequence keeps the angles that it began with`() throws {
    let model = try model()
    // Within four tokens nothing is stretched, however far the sequence goes on.
    let short = states(model, in: [3] + Array(repeating: 1, count: 10))
    #expect(largestDifference(short, states(try self.model(["use_dynamic_ntk": false]), in: [13])) < 1e-5)
    #expect(largestDifference(short, states(model, in: [13])) > 1e-3)
    // Five to eight tokens have one base: 10000 * 3^(6 / 4).
    let longer = states(model, in: [5, 2, 1, 5])
    let base: JSON = ["use_dynamic_ntk": false, "rotary_emb_base": 51961.524]
    #expect(largestDifference(longer, states(try self.model(base), in: [13])) < 1e-5)
  }

  @Test func `a sequence that begins anew has angles of its own`() throws {
    let model = try model()
    let state = model.makeState(sequences: 1)
    func read(_ tokens: [Int32]) -> [Float] {
      let found = model.hiddenStates(SequenceInput([tokens], startingAt: state.lengths), Pass(state: state)).values
      state.advance(by: [tokens.count])
      return found
    }
    _ = read([1, 2, 3])
    #expect(state.truncate(to: 0))
    #expect(read(Self.text) == states(model, in: [13]))
  }

  @Test func `training knows nothing of it`() throws {
    let batch = Batch(collating: [EncodedExample(tokens: Self.text)], objective: .nextToken)
    func loss(_ changes: JSON, isTraining: Bool) throws -> Float { try model(changes).loss(batch, Pass(isTraining: isTraining)).scalar }
    let plain: JSON = ["use_dynamic_ntk": false, "use_logn_attn": false]
    #expect(try loss([:], isTraining: true) == loss(plain, isTraining: false))
    #expect(try abs(loss([:], isTraining: false) - loss(plain, isTraining: false)) > 1e-3)
  }
}
