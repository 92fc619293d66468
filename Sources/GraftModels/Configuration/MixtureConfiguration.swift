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
  /// How far the factors of inputs are from 1 at most in training.
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

extension MixtureConfiguration {
  /// The names of an expert's layers in checkpoints.
  struct ExpertNames {
    var gate = "gate_proj"
    var up = "up_proj"
    var down = "down_proj"
  }

  /// A mixture whose experts' layers a checkpoint holds one by one: `experts.7.down_proj`.
  ///
  /// - Parameters:
  ///   - mlp: the scope of the mixture in checkpoints.
  ///   - fused: the scope of the mixture in Transformers, whose fused parameters PEFT names.
  ///   - shared: the name of the shared experts.
  func sublayer(
    _ mlp: Scope, fused: Scope, names: ExpertNames = ExpertNames(), shared: String = "shared_experts", correction: Tensor? = nil,
    _ c: Llama.Configuration, _ initializer: Initializer
  ) throws -> MixtureOfExperts {
    let gate = try Linear(mlp / "gate", in: c.hiddenSize, out: expertCount, role: .router, initializer: initializer)
    func layers(_ name: String, _ inputs: Int, _ outputs: Int, _ role: Role) throws -> [Linear] {
      try (0..<expertCount).map { try Linear(mlp / "experts" / $0 / name, in: inputs, out: outputs, role: role, initializer: initializer) }
    }
    let gates = try layers(names.gate, c.hiddenSize, expertSize, .expertGate)
    let ups = try layers(names.up, c.hiddenSize, expertSize, .expertUp)
    let downs = try layers(names.down, expertSize, c.hiddenSize, .expertDown)
    return MixtureOfExperts(
      mlp, router: Router(gate, routing, correction: correction),
      raising: ExpertProjection(fused / "experts" / "gate_up_proj", .layers([gates, ups])),
      lowering: ExpertProjection(fused / "experts" / "down_proj", .layers([downs])),
      middle: .gated(try Nonlinearity(c.activation, in: fused / "experts" / "act_fn")),
      shared: try sharedSize.map { try Llama.feedForward(mlp / shared, size: $0, c, initializer) },
      sharedGate: gatesShared
        ? try Linear(mlp / "\(shared)_gate", in: c.hiddenSize, out: 1, initializer: initializer) : nil, jitter: jitter)
  }
}
