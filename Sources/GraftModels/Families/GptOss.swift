import GraftLayers
import GraftTensors

extension ModelFamily {
  /// gpt-oss: mixtures of experts with biases and clamped gates, attention with sinks, and windows in every other layer (OpenAI 2025).
  public static let gptOss = Llama.family(
    "gpt_oss", classNames: "GptOss",
    configuration: ConfigurationKeys(
      [ConfigurationKey].rotaryDecoder.replacing(
        .read("rms_norm_eps", 1e-5), .read("rope_theta", 150_000.0), .read("rope_parameters", .null),
        .read("num_key_value_heads", 8), .read("head_dim", 64), .read("max_position_embeddings", 131_072),
        .read("sliding_window", 128, orNull: true), .read("attention_dropout", 0.0), .read("attention_bias", true),
        .only("attention_chunk_size", .null), .read("num_experts_per_tok", 4), .read("num_local_experts", 128),
        .read("swiglu_alpha", 1.702), .read("swiglu_limit", 7.0), .read("output_router_logits", false), .read("router_aux_loss_coef", 0.001)),
      synonyms: ["num_experts": "num_local_experts"]),
    defaultTargets: DefaultTargets(), gguf: nil,
    adjust: { c, config in
      c.windows = try config.alternatingWindows(layers: c.layers)
      // Transformers' class has positions that are stretched, where a configuration says nothing of them.
      guard !config.contains("rope_parameters"), !config.contains("rope_scaling") else { return }
      c.rotary.scaling = .yarn(
        factor: 32, betaFast: 32, betaSlow: 1, originalLength: 4096, attentionFactor: 1.3465736, truncates: false)
    },
    parts: { config in
      let mixture = try MixtureConfiguration(config, experts: "num_local_experts", size: "intermediate_size", scores: .logits)
      let alpha = try config.float("swiglu_alpha")
      let limit = try config.positiveFloat("swiglu_limit")
      return Llama.BlockParts(
        attention: { block, layer, c, initializer in
          try Llama.attention(block, layer: layer, c, initializer) { try $0.parameter("sinks", [c.heads], initializer) }
        },
        feedForward: { block, _, c, initializer in
          try mixture.fusedSublayer(block / "mlp", .clamped(alpha: alpha, limit: limit), c, initializer)
        })
    })
}

extension MixtureConfiguration {
  /// A mixture whose experts a checkpoint holds in one tensor, input by output, gates and ups in turn.
  fileprivate func fusedSublayer(
    _ mlp: Scope, _ middle: MixtureOfExperts.Middle, _ c: Llama.Configuration, _ initializer: Initializer
  ) throws -> MixtureOfExperts {
    let experts = mlp / "experts"
    func projection(_ name: String, _ inputs: Int, _ outputs: Int) throws -> ExpertProjection {
      ExpertProjection(
        experts / name,
        .fused(
          try experts.parameter(name, [expertCount, inputs, outputs], initializer, keepsType: true),
          bias: try experts.parameter("\(name)_bias", [expertCount, outputs], .zeros), layout: .inputByOutput))
    }
    let gate = try Linear(mlp / "router", in: c.hiddenSize, out: expertCount, bias: true, role: .router, initializer: initializer)
    return MixtureOfExperts(
      mlp, router: Router(gate, routing), raising: try projection("gate_up_proj", c.hiddenSize, 2 * expertSize),
      lowering: try projection("down_proj", expertSize, c.hiddenSize), middle: middle)
  }
}
