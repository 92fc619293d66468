import GraftAdapters
import GraftBatching
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftModels
import GraftOptimizers
import GraftTensors
import GraftTestSupport
import Testing

/// Methods on the routers alone: a gradient reaches them through the weights of the experts that they choose.
@Suite("Methods on routers") struct RouterTuningTests {
  static let families = [TinyConfiguration.mixtral, TinyConfiguration.gptOss, TinyConfiguration.deepSeekV3]

  /// The methods of linear layers, on routers only.
  static let methods = FamilyMethod.all.map(\.configuration).filter { $0.contains("all-linear") && !$0.contains("trainable_token") }
    .map { $0.replacing(#""all-linear""#, with: #"".*\\.(gate|router)""#) }

  private func model(_ configuration: JSON) throws -> any CausalLanguageModel {
    let catalog = SiteCatalog()
    let request = ModelRequest(ArchitectureConfiguration(configuration, source: "config.json"))
    let model = try ModelFamily.build(request, in: Scope(source: nil, catalog: catalog, seed: 7))
    randomize(catalog.parameters, deviation: 0.3)
    return try #require(model as? any CausalLanguageModel)
  }

  @Test(arguments: families, methods) func learns(_ configuration: JSON, _ text: String) throws {
    let model = try model(configuration)
    let batch = Batch(
      collating: [EncodedExample(tokens: [3, 7, 1, 18, 9, 4, 2, 11]), EncodedExample(tokens: [5, 5, 20, 6])], objective: .nextToken)
    let delta = try Delta(try MethodCatalog.decode(stored: try JSON(parsing: text), from: "test"), on: model.catalog)
    let routers = model.catalog.sites.filter { $0.role == .router }.map(\.path)
    // What all layers share, such as a bank of vectors, is no layer.
    let others = Set(model.catalog.sites.map(\.path)).subtracting(routers)
    #expect(others.isDisjoint(with: delta.modules.filter { $0.parameterCount > 0 }.map(\.path)) && !routers.isEmpty)
    func differentiate() -> (loss: Float, gradients: Gradients) {
      let tape = Tape()
      let loss = tape.record { model.loss(batch, Pass(isTraining: true), scale: 1 / Float(batch.lossTermCount)) }
      return (loss.scalar, tape.gradients(of: loss))
    }
    let optimizer = Optimizer(AdamW(), parameters: delta.parameters.map(\.parameter))
    let first = differentiate()
    #expect(delta.parameters.contains { (first.gradients[$0.parameter]?.sumOfSquares ?? 0) > 0 })
    var best = first.loss
    for _ in 0..<40 {
      let found = differentiate()
      best = min(best, found.loss)
      optimizer.step(found.gradients, learningRate: 0.02)
    }
    #expect(best < first.loss - 1e-3)
    let adapted = model.loss(batch, .inference, scale: 1).scalar
    try delta.merge()
    #expect(abs(model.loss(batch, .inference, scale: 1).scalar - adapted) < 2e-5 * adapted)
  }
}
