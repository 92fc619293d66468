import GraftLayers

extension ModelFamily {
  /// Qwen2-MoE: Qwen2 with mixtures of small experts, beside one that all tokens use behind a gate (Yang et al. 2024, section 2.2.2).
  public static let qwen2MoE = RotaryDecoder.family(
    "qwen2_moe", classNames: "Qwen2Moe",
    configuration: ConfigurationKeys(
      .qwenMixture + [
        .read("num_key_value_heads", 16, orNull: true), .read("max_window_layers", 28), .read("moe_intermediate_size", 1408),
        .read("shared_expert_intermediate_size", 5632), .read("num_experts_per_tok", 4), .read("num_experts", 60), .read("qkv_bias", true),
      ]),
    read: { config in
      var c = try RotaryDecoder.Configuration(config)
      c.hasInputBias = try config.bool("qkv_bias")
      c.windows = try config.alternatingWindows(layers: c.layers)
      return c
    }
  ) { layers in
    try layers.preNormed(feedForward: { layers in
      var mixture = try MixtureConfiguration(layers.config, experts: "num_experts", size: "moe_intermediate_size")
      mixture.sharedSize = try layers.config.count("shared_expert_intermediate_size")
      mixture.gatesShared = true
      return try layers.qwenFeedForward(mixture)
    })
  }
}

extension [ConfigurationKey] {
  /// The keys of Qwen2-MoE and Qwen3-MoE.
  static let qwenMixture: [ConfigurationKey] =
    rotaryDecoder + balancing + [
      .optional("head_dim"), .read("max_position_embeddings", 32_768), .read("use_sliding_window", false),
      .read("sliding_window", 4096, orNull: true), .read("attention_dropout", 0.0), .read("decoder_sparse_step", 1),
      .read("norm_topk_prob", false), .read("mlp_only_layers", .null),
    ]
}

extension BlockLayers {
  /// A mixture in every so many layers, and a dense feed-forward in the others.
  func qwenFeedForward(_ mixture: MixtureConfiguration) throws -> any Sublayer {
    var mixture = mixture
    mixture.routing.normalization = try config.bool("norm_topk_prob") ? 0 : nil
    let isListed = (config.json["mlp_only_layers"]?.array ?? []).contains { $0.int == layer }
    guard !isListed, try (layer + 1) % config.count("decoder_sparse_step") == 0 else { return try feedForward() }
    return try self.mixture(mixture, shared: "shared_expert")
  }
}

extension ArchitectureConfiguration {
  /// The windows of Qwen2-MoE and gpt-oss: every other layer has one, from the first on, where no list of kinds of layers says otherwise.
  func alternatingWindows(layers: Int) throws(ArchitectureError) -> [Int?] {
    guard !contains("layer_types") else { return try windows(layers: layers) }
    let isOn = try bool("use_sliding_window", default: true)
    let window = isOn ? try optionalCount("sliding_window") : nil
    let end = try int("max_window_layers", default: layers)
    return (0..<layers).map { $0 % 2 == 0 && $0 < end ? window : nil }
  }
}
