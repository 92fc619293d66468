import Foundation
import GraftLayers
import GraftTensors

extension ModelFamily {
  /// DeepSeek-V2: latent attention, and mixtures of small experts beside shared ones (DeepSeek-AI 2024, "DeepSeek-V2").
  public static let deepSeekV2 = Llama.family(
    "deepseek_v2", classNames: "DeepseekV2", tasks: [.causalLM, .sequenceClassification],
    configuration: ConfigurationKeys(
      [ConfigurationKey].deepSeek + [
        .read("max_position_embeddings", 2048), .read("first_k_dense_replace", 0), .read("n_routed_experts", 64), .read("n_shared_experts", 2),
        .read("routed_scaling_factor", 1.0), .read("moe_intermediate_size", 1407), .read("num_experts_per_tok", .null),
        .read("n_group", .null), .read("topk_group", .null), .read("v_head_dim", 128), .read("mlp_bias", false),
        .only("topk_method", "greedy", "group_limited_greedy"),
      ] + ConfigurationKey.withoutEffect("norm_topk_prob", "head_dim"), synonyms: ["num_experts": "n_routed_experts"]),
    defaultTargets: .latentAttention, gguf: nil, headSizeKey: "qk_rope_head_dim", adjust: { c, _ in c.rotary.isInterleaved = true },
    parts: { config in
      var mixture = try MixtureConfiguration(config, experts: "n_routed_experts", size: "moe_intermediate_size")
      if try config.string("topk_method") == "group_limited_greedy" { try mixture.limitGroups(config, scoresPerGroup: 1, maskedScore: 0) }
      return try .deepSeek(mixture, config) { _ in nil }
    })

  /// DeepSeek-V3: sigmoid scores with a correction where experts are chosen, which balances them without a loss
  /// (DeepSeek-AI 2024, "DeepSeek-V3", section 2.1.2).
  public static let deepSeekV3 = Llama.family(
    "deepseek_v3", classNames: "DeepseekV3",
    configuration: ConfigurationKeys(
      [ConfigurationKey].deepSeek + [
        .read("max_position_embeddings", 4096), .read("first_k_dense_replace", 3), .read("n_routed_experts", 256), .read("n_shared_experts", 1),
        .read("routed_scaling_factor", 2.5), .read("moe_intermediate_size", 2048), .read("num_experts_per_tok", 8), .read("n_group", 8),
        .read("topk_group", 4), .read("v_head_dim", 128), .read("norm_topk_prob", true, orNull: true), .read("rope_interleave", true, orNull: true),
      ] + ConfigurationKey.withoutEffect("num_mtp_layers", "num_nextn_predict_layers"),
      synonyms: ["num_local_experts": "n_routed_experts", "num_mtp_layers": "num_nextn_predict_layers"]),
    defaultTargets: .latentAttention, gguf: nil, headSizeKey: "qk_rope_head_dim",
    adjust: { c, config in c.rotary.isInterleaved = try config.bool("rope_interleave", default: false) },
    parts: { config in
      var mixture = try MixtureConfiguration(config, experts: "n_routed_experts", size: "moe_intermediate_size", scores: .sigmoid)
      mixture.routing.normalization = try config.bool("norm_topk_prob", default: false) ? 1e-20 : nil
      try mixture.limitGroups(config, scoresPerGroup: 2, maskedScore: -.infinity)
      let experts = mixture.expertCount
      return try .deepSeek(mixture, config) { try ($0 / "gate").buffer("e_score_correction_bias", [experts], .zeros) }
    })
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

extension Llama.BlockParts {
  /// Latent attention, and a mixture in every layer but the first ones.
  /// - Parameter correction: the correction of a mixture's scores, in its scope.
  fileprivate static func deepSeek(
    _ mixture: MixtureConfiguration, _ config: ArchitectureConfiguration, correction: @escaping (Scope) throws -> Tensor?
  ) throws -> Llama.BlockParts {
    var mixture = mixture
    mixture.sharedSize = mixture.expertSize * (try config.count("n_shared_experts"))
    mixture.routing.scale = try config.float("routed_scaling_factor")
    let denseLayers = try config.int("first_k_dense_replace", default: 0)
    let latent = try LatentConfiguration(config)
    return Llama.BlockParts(
      attention: { block, _, c, initializer in try latent.attention(block / "self_attn", c, initializer) },
      feedForward: { [mixture] block, layer, c, initializer in
        let mlp = block / "mlp"
        guard layer >= denseLayers else { return try Llama.feedForward(mlp, size: c.intermediateSize, c, initializer) }
        return try mixture.sublayer(mlp, fused: mlp, correction: try correction(mlp), c, initializer)
      })
  }
}

/// The sizes of latent attention.
private struct LatentConfiguration {
  /// The columns of a compressed query; nil where queries are not compressed.
  let queryRank: Int?
  /// The columns of the row that keys and values are made of.
  let rank: Int
  let plainSize: Int, rotarySize: Int, valueSize: Int
  let scale: Float
  let hasBias: Bool

  init(_ config: ArchitectureConfiguration) throws(ArchitectureError) {
    queryRank = try config.optionalCount("q_lora_rank")
    rank = try config.count("kv_lora_rank")
    plainSize = try config.count("qk_nope_head_dim")
    rotarySize = try config.count("qk_rope_head_dim")
    valueSize = try config.count("v_head_dim")
    hasBias = try config.bool("attention_bias")
    scale = try Self.temperature(config) / Float(plainSize + rotarySize).squareRoot()
  }

  /// The factor of scores over stretched positions: the square of YaRN's `0.1 m log(factor) + 1`, with DeepSeek's weight `m`.
  private static func temperature(_ config: ArchitectureConfiguration) throws(ArchitectureError) -> Float {
    let settings = try config.rotarySettings()
    let weight = try settings.float("mscale_all_dim", default: 0)
    guard weight != 0, try ArchitectureConfiguration.rotaryType(settings) != "default" else { return 1 }
    let factor = try settings.positiveFloat("factor")
    let magnitude = factor <= 1 ? 1 : 0.1 * weight * log(factor) + 1
    return magnitude * magnitude
  }

  func attention(_ attn: Scope, _ c: Llama.Configuration, _ initializer: Initializer) throws -> LatentAttention {
    func linear(_ name: String, _ inputs: Int, _ outputs: Int, bias: Bool = false, _ role: Role) throws -> Linear {
      try Linear(attn / name, in: inputs, out: outputs, bias: bias, role: role, initializer: initializer)
    }
    // Whatever rms_norm_eps says: these norms have their class's own.
    func norm(_ name: String, _ width: Int) throws -> Norm { try Norm(attn / name, width: width, epsilon: 1e-6) }
    let options = AttentionOptions(
      heads: c.heads, headSize: plainSize + rotarySize, valueSize: valueSize, scale: scale, dropout: c.scoreDropout)
    let query: LatentAttention.Query
    if let queryRank {
      query = .compressed(
        down: try linear("q_a_proj", c.hiddenSize, queryRank, bias: hasBias, .queryCompression), norm: try norm("q_a_layernorm", queryRank),
        up: try linear("q_b_proj", queryRank, options.queryWidth, .query))
    } else {
      query = .plain(try linear("q_proj", c.hiddenSize, options.queryWidth, .query))
    }
    return LatentAttention(
      attn, options, rotarySize: rotarySize, query: query,
      compression: try linear("kv_a_proj_with_mqa", c.hiddenSize, rank + rotarySize, bias: hasBias, .latentCompression),
      latentNorm: try norm("kv_a_layernorm", rank),
      expansion: try linear("kv_b_proj", rank, c.heads * (plainSize + valueSize), .latentExpansion),
      output: try linear("o_proj", options.contextWidth, c.hiddenSize, bias: hasBias, .attentionOutput))
  }
}
