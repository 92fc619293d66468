import GraftAdapters
import GraftBatching
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import GraftTestSupport
import Testing

/// Adapters that a pass goes around: AdapterDrop by layers, stochastic depth by sequences.
@Suite struct LayerSkippingTests {
  /// The states with bottlenecks in both layers, of several seeds.
  private func states(_ keys: String, _ passes: [Pass]) throws -> [[Float]] {
    let model = try makeTinyModel()
    let text = #"{"peft_type": "ADAPTER", "reduction_factor": 4, "original_ln_before": true\#(keys)}"#
    let delta = try Delta(try MethodCatalog.decode(stored: try JSON(parsing: text), from: "test"), on: model.catalog)
    randomize(delta.parameters.map(\.parameter), deviation: 0.3)
    return passes.map { model.hiddenStates(SequenceInput(tinySequences), $0).values }
  }

  private let training = (0..<24).map { Pass(isTraining: true, random: RandomStream(seed: $0)) }

  @Test func `training goes around none, one or two layers, drawn for every pass`() throws {
    let found = Set(try states(#", "adapter_drop": 2"#, training))
    let whole = try states("", [.inference])[0]
    let base = try makeTinyModel().states()
    #expect(found.count == 3 && found.contains(whole) && found.contains { largestDifference($0, base) < 1e-5 })
    #expect(try states(#", "adapter_drop": 2"#, [.inference])[0] == whole)
  }

  @Test func `layers are skipped where nothing is trained`() throws {
    let base = try makeTinyModel().states()
    let found = try states(#", "skip_layers": 2"#, [.inference, training[0]])
    #expect(largestDifference(found[0], base) < 1e-5)
    #expect(try found[1] == states("", [.inference])[0])
    let one = try states(#", "skip_layers": 1"#, [.inference])[0]
    #expect(largestDifference(one, base) > 1e-3 && largestDifference(one, found[1]) > 1e-3)
  }

  @Test func `sequences go around an adapter in training, each by its own lot`() throws {
    let found = Set(try states(#", "stochastic_depth": 0.5"#, training))
    #expect(found.count > 3)
    #expect(try states(#", "stochastic_depth": 0.5"#, [.inference]) == states("", [.inference]))
  }
}
