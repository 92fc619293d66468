import GraftLayers
import GraftTensors

/// The sizes and the routing of a family's mixtures of experts.
struct MixtureConfiguration {
  var expertCount: Int
  /// The intermediate size of one expert.
  var expertSize: Int
  var routing: Router.Options
  /// The intermediate size of the experts that all tokens use, together; nil for none.
  var sharedSize: Int?
  /// True where the shared experts' output is multiplied by a sigmoid.
  var gatesShared = false
  /// The largest distance from 1 of the factors of inputs in training.
  var jitter: Float = 0

  /// - Parameters:
  ///   - experts: the key of the number of experts.
  ///   - size: the key of an expert's intermediate size.
  /// - Throws: `ArchitectureError` for numbers that contradict each other.
  init(
    _ config: ArchitectureConfiguration, experts: String, size: String, scores: Router.Options.Scores = .softmax
  ) throws(ArchitectureError) {
    expertCount = try config.listCount(experts)
    expertSize = try config.count(size)
    let choices = try config.count("num_experts_per_tok")
    guard choices <= expertCount else {
      throw config.fail("num_experts_per_tok", "is \(choices); it must be at most \(experts), which is \(expertCount)")
    }
    routing = Router.Options(choices: choices, scores: scores)
  }

  /// Limits the choice of a token to some groups of experts.
  /// - Throws: `ArchitectureError` where the experts do not fall into such groups.
  mutating func limitGroups(_ config: ArchitectureConfiguration, scoresPerGroup: Int, maskedScore: Float) throws(ArchitectureError) {
    let groups = try config.count("n_group")
    let chosen = try config.count("topk_group")
    guard expertCount % groups == 0, expertCount / groups >= scoresPerGroup else {
      throw config.fail("n_group", "\(groups) groups of at least \(scoresPerGroup) do not divide \(expertCount) experts")
    }
    guard chosen <= groups else { throw config.fail("topk_group", "is \(chosen); it must be at most n_group, which is \(groups)") }
    guard routing.choices <= chosen * (expertCount / groups) || maskedScore > -.infinity else {
      throw config.fail("topk_group", "\(chosen) groups hold fewer than num_experts_per_tok experts")
    }
    routing.groups = ExpertGroups(count: groups, chosen: chosen, scoresPerGroup: scoresPerGroup, maskedScore: maskedScore)
  }
}

extension ArchitectureConfiguration {
  /// The losses of routers, where a configuration asks for them as Transformers' does; its z-loss is a key of our own.
  func routerLosses() throws(ArchitectureError) -> RouterLosses? {
    guard contains("router_aux_loss_coef"), try bool("output_router_logits", default: false) else { return nil }
    return RouterLosses(balancing: try float("router_aux_loss_coef"), stability: try float("router_z_loss_coef", default: 0))
  }
}

/// The layers of a mixture of experts.
extension BlockLayers {
  /// The names of an expert's layers in checkpoints.
  struct ExpertNames {
    var gate = "gate_proj"
    var up = "up_proj"
    var down = "down_proj"
  }

  /// A mixture whose experts' layers a checkpoint holds one by one: `experts.7.down_proj`.
  ///
  /// - Parameters:
  ///   - name: the name of the mixture in checkpoints; it is `mlp` in Transformers, whose fused parameters PEFT names.
  ///   - shared: the name of the shared experts.
  ///   - correction: `[experts]`, added to scores where experts are chosen.
  func mixture(
    _ m: MixtureConfiguration, in name: String = "mlp", names: ExpertNames = ExpertNames(), shared: String = "shared_experts",
    correction: Tensor? = nil
  ) throws -> MixtureOfExperts {
    let width = configuration.hiddenSize
    let mlp = scope / name
    let fused = scope / "mlp" / "experts"
    func layers(_ name: String, _ inputs: Int, _ outputs: Int, _ role: Role) throws -> [Linear] {
      try (0..<m.expertCount).map { try linear(mlp / "experts" / $0 / name, in: inputs, out: outputs, role) }
    }
    let gate = try linear(mlp / "gate", in: width, out: m.expertCount, .router)
    let gates = try layers(names.gate, width, m.expertSize, .expertGate)
    let ups = try layers(names.up, width, m.expertSize, .expertUp)
    let downs = try layers(names.down, m.expertSize, width, .expertDown)
    return MixtureOfExperts(
      mlp, router: Router(gate, m.routing, correction: correction),
      raising: ExpertProjection(fused / "gate_up_proj", .layers([gates, ups])),
      lowering: ExpertProjection(fused / "down_proj", .layers([downs])),
      middle: .gated(try Nonlinearity(configuration.activation, in: fused / "act_fn")),
      shared: try m.sharedSize.map { try feedForward(in: mlp / shared, size: $0) },
      sharedGate: m.gatesShared ? try Linear(mlp / "\(shared)_gate", in: width, out: 1, initializer: configuration.initializer) : nil,
      jitter: m.jitter)
  }

  /// A mixture whose experts a checkpoint holds in one tensor, input by output, gates and ups in turn.
  func fusedMixture(_ m: MixtureConfiguration, router name: String, _ middle: MixtureOfExperts.Middle) throws -> MixtureOfExperts {
    let width = configuration.hiddenSize
    let mlp = scope / "mlp"
    let experts = mlp / "experts"
    func projection(_ name: String, _ inputs: Int, _ outputs: Int) throws -> ExpertProjection {
      let matrices = try experts.matrices(name, [m.expertCount, inputs, outputs], configuration.initializer)
      let bias = try experts.parameter("\(name)_bias", [m.expertCount, outputs], .zeros)
      return ExpertProjection(experts / name, .fused(matrices, bias: bias, layout: .inputByOutput))
    }
    let gate = try linear(mlp / name, in: width, out: m.expertCount, bias: true, .router)
    return MixtureOfExperts(
      mlp, router: Router(gate, m.routing), raising: try projection("gate_up_proj", width, 2 * m.expertSize),
      lowering: try projection("down_proj", m.expertSize, width), middle: middle)
  }
}
