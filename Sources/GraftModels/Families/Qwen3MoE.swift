import GraftLayers

extension ModelFamily {
  /// Qwen3-MoE: Qwen3 with mixtures of experts, none of which all tokens use (Yang et al. 2025, section 2).
  public static let qwen3MoE = RotaryDecoder.family(
    "qwen3_moe", classNames: "Qwen3Moe",
    configuration: ConfigurationKeys(
      .qwenMixture + [
        .read("num_key_value_heads", 4), .read("attention_bias", false), .read("moe_intermediate_size", 768), .read("num_experts_per_tok", 8),
        .read("num_local_experts", 128),
      ] + ConfigurationKey.withoutEffect("num_experts"), synonyms: ["num_experts": "num_local_experts"])
  ) { layers in
    try layers.preNormed {
      try $0.attention(norms: .eachHead)
    } feedForward: { layers in
      try layers.qwenFeedForward(MixtureConfiguration(layers.config, experts: "num_local_experts", size: "moe_intermediate_size"))
    }
  }
}
