import GraftBatching
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import GraftTestSupport
import Testing

/// The facts that a training tells of a mixture: the losses of its routers, and the rows of its experts.
@Suite("Losses of routers and loads of experts in a pass") struct RoutingStatisticsTests {
  private static let mixtures = [
    TinyConfiguration.mixtral, TinyConfiguration.qwen2MoE, TinyConfiguration.qwen3MoE, TinyConfiguration.gptOss, TinyConfiguration.deepSeekV2,
    TinyConfiguration.deepSeekV3,
  ].map { TinyModel(configuration: $0, task: .causalLM) }

  private func outputs(
    of model: any TrainableModel, _ tiny: TinyModel, recomputation: Bool = false
  ) -> (outputs: AuxiliaryOutputs, loss: Float, gradients: Gradients) {
    var pass = Pass(isTraining: true)
    let outputs = AuxiliaryOutputs()
    pass.auxiliary = outputs
    let batch = Batch(collating: tiny.examples, objective: .nextToken)
    let tape = Tape()
    let loss = Execution(recomputation: recomputation).run {
      tape.record { model.loss(batch, pass, scale: 1) + (outputs.totalLoss ?? Tensor([0], [])) }
    }
    return (outputs, loss.scalar, tape.gradients(of: loss))
  }

  /// Every token of the batch is counted with each of its experts, once, whether blocks run again or not.
  @Test(arguments: mixtures) func everyRowIsCountedOnce(_ tiny: TinyModel) throws {
    let model = try tiny.build(isTrainable: true)
    let kept = outputs(of: model, tiny).outputs
    let again = outputs(of: model, tiny, recomputation: true).outputs
    #expect(kept.loads == again.loads && !kept.loads.isEmpty)
    let choices = try #require(tiny.configuration["num_experts_per_tok"]?.int)
    let rows = tiny.examples.reduce(0) { $0 + $1.tokens.count }
    let routers = model.catalog.sites.filter { $0.role == .router }.compactMap(\.linear)
    #expect(kept.loads.map(\.rows.count) == routers.map(\.outputSize))
    for (load, router) in zip(kept.loads, routers) {
      #expect(load.rows.reduce(0, +) == rows * choices && router.path.hasPrefix(load.path + "."))
      #expect(load.rows.allSatisfy { (0...rows).contains($0) })
    }
  }

  /// A training may ask for the losses that a configuration does not ask for; the files' own coefficients hold where it says nothing.
  @Test func aTrainingAsksForLosses() throws {
    func losses(_ factors: RouterLossFactors?, _ keys: JSON = [:]) throws -> (names: [String], total: Float, plain: [Float]) {
      let tiny = TinyModel(configuration: TinyConfiguration.mixtral.setting(keys), task: .causalLM)
      let request = ModelRequest(ArchitectureConfiguration(tiny.configuration, source: "config.json"), routerLosses: factors)
      let model = try #require(
        try ModelFamily.build(request, in: Scope(source: nil, catalog: SiteCatalog(), seed: 7, isTrainable: true)) as? any TrainableModel)
      let found = outputs(of: model, tiny).outputs
      return (found.losses.map(\.name), found.totalLoss?.scalar ?? 0, found.losses.map(\.value.scalar))
    }
    #expect(try losses(nil).names.isEmpty)
    let both = try losses(RouterLossFactors(balancing: 0.5, stability: 0.25))
    #expect(both.names == ["aux_loss", "z_loss"] && abs(both.total - (0.5 * both.plain[0] + 0.25 * both.plain[1])) < 1e-5 && both.plain[0] >= 1.9)
    let stable = try losses(RouterLossFactors(balancing: nil, stability: 0.25))
    #expect(stable.names == ["z_loss"] && stable.plain[0] == both.plain[1])
    let asked: JSON = ["output_router_logits": true, "router_aux_loss_coef": 0.125]
    let own = try losses(nil, asked)
    #expect(own.names == ["aux_loss"] && abs(own.total - 0.125 * own.plain[0]) < 1e-6)
    let more = try losses(RouterLossFactors(balancing: nil, stability: 0.25), asked)
    #expect(more.names == ["aux_loss", "z_loss"] && abs(more.total - (0.125 * more.plain[0] + 0.25 * more.plain[1])) < 1e-5)
    #expect(RouterLossFactors(balancing: nil, stability: nil) == nil)
  }

  @Test func aFamilyWithoutTheLossesSaysSo() throws {
    for configuration in [TinyConfiguration.llama, TinyConfiguration.deepSeekV3] {
      let request = ModelRequest(
        ArchitectureConfiguration(configuration, source: "config.json"), routerLosses: RouterLossFactors(balancing: 0.1, stability: nil))
      let error = #expect(throws: ArchitectureError.self) { try ModelFamily.build(request, in: Scope(source: nil, catalog: SiteCatalog())) }
      #expect(error?.description.contains("has no losses of routers; leave training.router_aux_loss_coef") == true)
    }
  }
}
