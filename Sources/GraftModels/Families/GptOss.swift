import GraftLayers

extension ModelFamily {
  /// gpt-oss: mixtures of experts with biases and clamped gates, attention with sinks, and windows in every other layer (OpenAI 2025).
  public static let gptOss = RotaryDecoder.family(
    "gpt_oss", classNames: "GptOss",
    configuration: ConfigurationKeys(
      .rotaryDecoder + [
        .read("rms_norm_eps", 1e-5), .read("rope_theta", 150_000.0), .read("num_key_value_heads", 8), .read("head_dim", 64),
        .read("max_position_embeddings", 131_072), .read("sliding_window", 128, orNull: true), .read("attention_dropout", 0.0),
        .read("attention_bias", true), .only("attention_chunk_size", .null), .read("num_experts_per_tok", 4), .read("num_local_experts", 128),
        .read("swiglu_alpha", 1.702), .read("swiglu_limit", 7.0),
      ] + .balancing, synonyms: ["num_experts": "num_local_experts"]),
    read: { config in
      var c = try RotaryDecoder.Configuration(config)
      c.windows = try config.alternatingWindows(layers: c.layers)
      // Transformers' class stretches positions where a configuration says nothing of them.
      if !config.contains("rope_parameters"), !config.contains("rope_scaling") {
        c.rotary[0].scaling = .yarn(
          factor: 32, betaFast: 32, betaSlow: 1, originalLength: 4096, attentionFactor: 1.3465736, truncates: false)
      }
      return c
    }
  ) { layers in
    try layers.preNormed {
      try $0.attention(hasSinks: true)
    } feedForward: { layers in
      let mixture = try MixtureConfiguration(layers.config, experts: "num_local_experts", size: "intermediate_size", scores: .logits)
      let alpha = try layers.config.float("swiglu_alpha")
      return try layers.fusedMixture(mixture, router: "router", .clamped(alpha: alpha, limit: try layers.config.positiveFloat("swiglu_limit")))
    }
  }
}
