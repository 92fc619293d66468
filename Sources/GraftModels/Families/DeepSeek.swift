import Foundation
import GraftLayers
import GraftTensors

extension ModelFamily {
  /// DeepSeek-V2: latent attention, and mixtures of small experts beside shared ones (DeepSeek-AI 2024, "DeepSeek-V2").
  public static let deepSeekV2 = RotaryDecoder.family(
    "deepseek_v2", classNames: "DeepseekV2", tasks: [.causalLM, .sequenceClassification],
    configuration: ConfigurationKeys(
      .deepSeek + [
        .read("max_position_embeddings", 2048), .read("first_k_dense_replace", 0), .read("n_routed_experts", 64), .read("n_shared_experts", 2),
        .read("routed_scaling_factor", 1.0), .read("moe_intermediate_size", 1407), .read("num_experts_per_tok", .null),
        .read("n_group", .null), .read("topk_group", .null), .read("v_head_dim", 128), .read("mlp_bias", false),
        .only("topk_method", "greedy", "group_limited_greedy"),
      ] + ConfigurationKey.withoutEffect("norm_topk_prob", "head_dim"), synonyms: ["num_experts": "n_routed_experts"]),
    defaultTargets: .latentAttention,
    read: { config in
      var c = try RotaryDecoder.Configuration(config, headSizeKey: "qk_rope_head_dim")
      c.rotary[0].isInterleaved = true
      return c
    }
  ) { layers in
    var mixture = try MixtureConfiguration(layers.config, experts: "n_routed_experts", size: "moe_intermediate_size")
    if try layers.config.string("topk_method", default: "greedy") == "group_limited_greedy" {
      try mixture.limitGroups(layers.config, scoresPerGroup: 1, maskedScore: 0)
    }
    return try layers.deepSeek(mixture) { _ in nil }
  }

  /// DeepSeek-V3: sigmoid scores with a correction where experts are chosen, which balances them without a loss
  /// (DeepSeek-AI 2024, "DeepSeek-V3", section 2.1.2).
  public static let deepSeekV3 = RotaryDecoder.family(
    "deepseek_v3", classNames: "DeepseekV3",
    configuration: ConfigurationKeys(
      .deepSeek + [
        .read("max_position_embeddings", 4096), .read("first_k_dense_replace", 3), .read("n_routed_experts", 256),
        .read("n_shared_experts", 1), .read("routed_scaling_factor", 2.5), .read("moe_intermediate_size", 2048), .read("num_experts_per_tok", 8),
        .read("n_group", 8),
        .read("topk_group", 4), .read("v_head_dim", 128), .read("norm_topk_prob", true, orNull: true), .read("rope_interleave", true, orNull: true),
      ] + ConfigurationKey.withoutEffect("num_mtp_layers", "num_nextn_predict_layers"),
      synonyms: ["num_local_experts": "n_routed_experts", "num_mtp_layers": "num_nextn_predict_layers"]),
    defaultTargets: .latentAttention,
    read: { config in
      var c = try RotaryDecoder.Configuration(config, headSizeKey: "qk_rope_head_dim")
      c.rotary[0].isInterleaved = try config.bool("rope_interleave", default: false)
      return c
    }
  ) { layers in
    var mixture = try MixtureConfiguration(layers.config, experts: "n_routed_experts", size: "moe_intermediate_size", scores: .sigmoid)
    mixture.routing.normalization = try layers.config.bool("norm_topk_prob", default: false) ? 1e-20 : nil
    try mixture.limitGroups(layers.config, scoresPerGroup: 2, maskedScore: -.infinity)
    let experts = mixture.expertCount
    return try layers.deepSeek(mixture) { try ($0 / "gate").buffer("e_score_correction_bias", [experts], .zeros) }
  }
}

extension [ConfigurationKey] {
  /// The keys of DeepSeek-V2 and DeepSeek-V3.
  fileprivate static let deepSeek: [ConfigurationKey] =
    rotaryDecoder + unwindowed + [
      .read("attention_bias", false), .read("attention_dropout", 0.0, orNull: true), .read("q_lora_rank", 1536, orNull: true),
      .read("kv_lora_rank", 512), .read("qk_rope_head_dim", 64), .read("qk_nope_head_dim", 128),
    ] + ConfigurationKey.withoutEffect("output_router_logits", "pretraining_tp", "num_key_value_heads")
}

extension DefaultTargets {
  /// The layers that make queries, keys and values of what is compressed.
  fileprivate static let latentAttention = DefaultTargets(projections: [.query, .latentExpansion])
}

extension BlockLayers {
  /// Latent attention, and a mixture in every layer but the first ones.
  /// - Parameter correction: the correction of a mixture's scores, in its scope.
  fileprivate func deepSeek(_ mixture: MixtureConfiguration, correction: (Scope) throws -> Tensor?) throws -> TransformerBlock {
    try preNormed {
      try $0.latentAttention()
    } feedForward: { _ in
      guard layer >= (try config.int("first_k_dense_replace", default: 0)) else { return try feedForward() }
      var mixture = mixture
      mixture.sharedSize = mixture.expertSize * (try config.count("n_shared_experts"))
      mixture.routing.scale = try config.float("routed_scaling_factor")
      return try self.mixture(mixture, correction: try correction(scope / "mlp"))
    }
  }

  private func latentAttention() throws -> LatentAttention {
    let c = configuration
    let attn = scope / "self_attn"
    let rank = try config.count("kv_lora_rank")
    let rotarySize = c.headSize
    let keySize = try config.count("qk_nope_head_dim") + rotarySize
    let valueSize = try config.count("v_head_dim")
    let options = AttentionOptions(
      heads: c.heads, headSize: keySize, valueSize: valueSize, scale: try config.latentTemperature() / Float(keySize).squareRoot(),
      dropout: c.scoreDropout)
    // Whatever rms_norm_eps says: these norms have their class's own.
    func norm(_ name: String, _ width: Int) throws -> Norm { try Norm(attn / name, width: width, epsilon: 1e-6) }
    let query: LatentAttention.Query
    if let queryRank = try config.optionalCount("q_lora_rank") {
      query = .compressed(
        down: try linear(attn / "q_a_proj", in: c.hiddenSize, out: queryRank, bias: c.hasInputBias, .queryCompression),
        norm: try norm("q_a_layernorm", queryRank), up: try linear(attn / "q_b_proj", in: queryRank, out: options.queryWidth, .query))
    } else {
      query = .plain(try linear(attn / "q_proj", in: c.hiddenSize, out: options.queryWidth, .query))
    }
    return LatentAttention(
      attn, options, rotarySize: rotarySize, query: query,
      compression: try linear(
        attn / "kv_a_proj_with_mqa", in: c.hiddenSize, out: rank + rotarySize, bias: c.hasInputBias, .latentCompression),
      latentNorm: try norm("kv_a_layernorm", rank),
      expansion: try linear(attn / "kv_b_proj", in: rank, out: c.heads * (keySize - rotarySize + valueSize), .latentExpansion),
      output: try linear(attn / "o_proj", in: options.contextWidth, out: c.hiddenSize, bias: c.hasOutputBias, .attentionOutput))
  }
}

extension ArchitectureConfiguration {
  /// The factor of scores over stretched positions: the square of YaRN's `0.1 m log(factor) + 1`, with DeepSeek's weight `m`.
  fileprivate func latentTemperature() throws(ArchitectureError) -> Float {
    let settings = try rotarySettings()
    let weight = try settings.float("mscale_all_dim", default: 0)
    guard weight != 0, try Self.rotaryType(settings) != "default" else { return 1 }
    let factor = try settings.positiveFloat("factor")
    let magnitude = factor <= 1 ? 1 : 0.1 * weight * log(factor) + 1
    return magnitude * magnitude
  }
}
