import GraftAdapters
import GraftBatching
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import GraftTestSupport
import Testing

/// LoRA on experts and routers as PEFT computes it; see Scripts/make-expert-goldens.py.
@Suite("Adapters of experts")
struct ExpertAdapterTests {
  private static let cases: [JSON] = (try? Fixtures("GraftAdaptersTests").json("expert-adapters.json"))?.array ?? []

  private static func source(_ tensors: JSON?, shape: (JSON) -> JSON?, centre: (JSON) -> Double) throws -> InMemoryWeights {
    InMemoryWeights(
      name: "golden",
      (tensors?.object ?? [:]).map { name, entry in
        let shape = Shape((shape(entry)?.array ?? []).compactMap(\.int))
        return StoredTensor(name: name, tensor: Tensor(syntheticValues(name, count: shape.elementCount, centre: centre(entry)), shape))
      })
  }

  private static func model(_ entry: JSON) throws -> any CausalLanguageModel {
    let weights = try source(entry["tensors"], shape: { $0["shape"] }, centre: { $0["centre"]?.double ?? 0 })
    let request = ModelRequest(ArchitectureConfiguration(entry["model"] ?? .null, source: "config.json"))
    return try #require(try ModelFamily.build(request, in: Scope(source: weights, catalog: SiteCatalog())) as? any CausalLanguageModel)
  }

  private static func adapter(_ entry: JSON) throws -> InMemoryWeights {
    try source(entry["adapter"], shape: { $0 }, centre: { _ in 0 })
  }

  private static func outputs(_ model: any CausalLanguageModel, _ entry: JSON) -> [Float] {
    let examples = (entry["examples"]?.array ?? []).map { ($0["tokens"]?.array ?? []).compactMap { $0.int.map { Int32($0) } } }
    return examples.flatMap { tokens -> [Float] in
      let hidden = model.hiddenStates(SequenceInput([tokens]), .inference).rows(0..<tokens.count - 1)
      return model.head.predictions(hidden, targets: Array(tokens.dropFirst())).map(\.logProbability)
    }
  }

  @Test(arguments: cases.indices)
  func isPEFTs(index: Int) throws {
    let entry = Self.cases[index]
    let model = try Self.model(entry)
    let plain = Self.outputs(model, entry)
    let method = try MethodCatalog.decode(stored: entry["config"] ?? .null, from: "golden")
    let delta = try Delta(method, on: model.catalog, from: try Self.adapter(entry))
    let expected = (entry["outputs"]?.array ?? []).compactMap { $0.double.map { Float($0) } }
    #expect(largestDifference(Self.outputs(model, entry), expected) < 2e-5)
    // Merged, it computes the same; taken out, what the model computed before.
    try delta.merge()
    #expect(largestDifference(Self.outputs(model, entry), expected) < 2e-5)
    delta.unmerge()
    #expect(Self.outputs(model, entry) == plain)
    // Written, it has the shapes that it was read with.
    let stored = try delta.stored(taskType: "CAUSAL_LM").tensors
    #expect(
      stored.map { $0.tensor.shape.elementCount }.sorted()
        == (try Self.adapter(entry)).tensorNames.map { name in
          (entry["adapter"]?[name]?.array ?? []).compactMap(\.int).reduce(1, *)
        }.sorted())
  }

  /// LoRA on the experts' own layers is what its merged weights compute, and every expert with rows trains its factors.
  @Test func layersOfExpertsAreComputedTogether() throws {
    let entry = try #require(Self.cases.first)
    let model = try Self.model(entry)
    var method = LoRA()
    method.r = 2
    method.targetModules = .names(["w1", "w2", "w3"])
    method.initLoraWeights = .random
    let delta = try Delta(method, on: model.catalog, seed: 3)
    let batch = Batch(collating: [EncodedExample(tokens: [3, 7, 1, 18, 9, 4, 2, 11])], objective: .nextToken)
    let tape = Tape()
    let loss = tape.record { model.loss(batch, Pass(isTraining: true), scale: 1) }
    let gradients = tape.gradients(of: loss)
    let trained = delta.parameters.filter { (gradients[$0.parameter]?.sumOfSquares ?? 0) > 0 }
    #expect(delta.parameters.count == 2 * 4 * 3 * 2)
    #expect(trained.count > delta.parameters.count / 2)
    try delta.merge()
    #expect(abs(model.loss(batch, .inference, scale: 1).scalar - loss.scalar) < 2e-5 * loss.scalar)
  }
}
