import GraftLayers

extension ModelFamily {
  /// Qwen2-MoE: Qwen2 with mixtures of small experts, beside one that all tokens use behind a gate (Yang et al. 2024, section 2.2.2).
  public static let qwen2MoE = Llama.family(
    "qwen2_moe", classNames: "Qwen2Moe",
    configuration: ConfigurationKeys(
      [ConfigurationKey].qwenMixture + [
        .read("num_key_value_heads", 16, orNull: true), .read("max_window_layers", 28), .read("moe_intermediate_size", 1408),
        .read("shared_expert_intermediate_size", 5632), .read("num_experts_per_tok", 4), .read("num_experts", 60), .read("qkv_bias", true),
      ]),
    defaultTargets: DefaultTargets(), gguf: nil,
    adjust: { c, config in
      c.hasInputBias = try config.bool("qkv_bias")
      c.windows = try config.alternatingWindows(layers: c.layers)
    },
    parts: { config in
      var mixture = try MixtureConfiguration(config, experts: "num_experts", size: "moe_intermediate_size")
      mixture.sharedSize = try config.count("shared_expert_intermediate_size")
      mixture.gatesShared = true
      return try .qwenMixture(mixture, config)
    })
}

extension [ConfigurationKey] {
  /// The keys of Qwen2-MoE and Qwen3-MoE.
  static let qwenMixture: [ConfigurationKey] =
    rotaryDecoder + [
      .optional("head_dim"), .read("max_position_embeddings", 32_768), .read("use_sliding_window", false),
      .read("sliding_window", 4096, orNull: true), .read("attention_dropout", 0.0), .read("decoder_sparse_step", 1),
      .read("norm_topk_prob", false), .read("output_router_logits", false), .read("router_aux_loss_coef", 0.001), .read("mlp_only_layers", .null),
    ]
}

extension Llama.BlockParts {
  /// The parts of Qwen's mixtures, which every so many layers have; the others are dense.
  static func qwenMixture(_ mixture: MixtureConfiguration, _ config: ArchitectureConfiguration) throws -> Llama.BlockParts {
    var mixture = mixture
    mixture.routing.normalization = try config.bool("norm_topk_prob") ? 0 : nil
    let step = try config.count("decoder_sparse_step")
    let dense = Set((config.json["mlp_only_layers"]?.array ?? []).compactMap(\.int))
    var parts = Llama.BlockParts()
    parts.feedForward = { [mixture] block, layer, c, initializer in
      let mlp = block / "mlp"
      guard !dense.contains(layer), (layer + 1) % step == 0 else {
        return try Llama.feedForward(mlp, size: c.intermediateSize, c, initializer)
      }
      return try mixture.sublayer(mlp, fused: mlp, shared: "shared_expert", c, initializer)
    }
    return parts
  }
}

extension ArchitectureConfiguration {
  /// The windows of Qwen2-MoE and gpt-oss, where every other layer has one, from the first on, and no list of kinds of layers says otherwise.
  func alternatingWindows(layers: Int) throws(ArchitectureError) -> [Int?] {
    guard !contains("layer_types") else { return try windows(layers: layers) }
    let isOn = try bool("use_sliding_window", default: true)
    let window = isOn ? try optionalCount("sliding_window") : nil
    let end = try int("max_window_layers", default: layers)
    return (0..<layers).map { $0 % 2 == 0 && $0 < end ? window : nil }
  }
}
