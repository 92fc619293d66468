import GraftJSON
import GraftLayers
import GraftModels
import GraftRecipes
import GraftSessions
import GraftTensors
import GraftTestSupport
import Testing

@Suite struct MemoryEstimateTests {
  private func estimate(
    _ precision: Recipe.PrecisionName, _ configuration: JSON = TinyConfiguration.llama, state: Recipe.StateFormat = .fp32
  ) throws -> MemoryEstimate {
    let scope = Scope(source: nil, catalog: SiteCatalog(), frozenType: precision.operandFormat)
    _ = try ModelFamily.build(ModelRequest(ArchitectureConfiguration(configuration, source: "tiny")), in: scope)
    return MemoryEstimate(
      parameters: 1000, stateCount: 2, stateFormat: state, on: scope.catalog, tokens: 64, recomputation: false, precision: precision)
  }

  /// Activations and frozen matrices take half in 16 bits; what is trained does not.
  @Test(arguments: [Recipe.PrecisionName.bf16, .fp16]) func sixteenBitsTakeHalf(precision: Recipe.PrecisionName) throws {
    let (whole, half) = (try estimate(.fp32), try estimate(precision))
    // Queries, keys and values, attention's output, gate, up and down of two layers.
    #expect(whole.activations == 4 * 64 * 2 * (12 + 4 + 4 + 12 + 20 + 20 + 12) && half.activations == whole.activations / 2)
    #expect(whole.trained == 16_000 && half.trained == 16_000)
    #expect(try estimate(precision, state: .bf16).trained == 12_000)
    // The table and the norms are exact.
    let exact = Double(4 * (23 * 12 + 5 * 12))
    #expect(half.frozen == (whole.frozen - exact) / 2 + exact)
  }

  /// A head in 16 bits has a matrix of its own beside the exact table that it shares.
  @Test func aTableThatAHeadSharesIsCountedTwiceInSixteenBits() throws {
    let tied = TinyConfiguration.llama.setting(["tie_word_embeddings": true])
    let (whole, wholeTied) = (try estimate(.fp32), try estimate(.fp32, tied))
    #expect(wholeTied.frozen == whole.frozen - Double(4 * 23 * 12))
    #expect(try estimate(.bf16, tied).frozen == estimate(.bf16).frozen)
  }

  @Test func adviceNamesThePrecisionWhereItHelps() throws {
    let (whole, half) = (try estimate(.fp32), try estimate(.bf16))
    #expect(complaint { try whole.require(available: 0) }.contains("training.gradient_checkpointing: true or training.precision: bf16, or take"))
    #expect(complaint { try half.require(available: 0) }.contains("training.gradient_checkpointing: true, or take"))
    try whole.require(available: Int(whole.total))
  }
}
