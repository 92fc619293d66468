import GraftLayers

extension ModelFamily {
  /// Mixtral: Mistral with a mixture of experts in every block, of which each token uses two (Jiang et al. 2024).
  public static let mixtral = Llama.family(
    "mixtral", classNames: "Mixtral",
    configuration: ConfigurationKeys(
      [ConfigurationKey].rotaryDecoder.replacing(
        .read("rms_norm_eps", 1e-5), .read("rope_theta", 1e6),
        .read("num_key_value_heads", 8), .read("head_dim", .null), .read("max_position_embeddings", 131_072), .read("sliding_window", .null),
        .read("attention_dropout", 0.0), .only("attention_chunk_size", .null), .read("num_experts_per_tok", 2), .read("num_local_experts", 8),
        .read("output_router_logits", false), .read("router_aux_loss_coef", 0.001), .read("router_jitter_noise", 0.0)),
      synonyms: ["num_experts": "num_local_experts"]),
    defaultTargets: DefaultTargets(scaled: [.key, .value, .expertDown], scaledInputs: [.expertDown]), gguf: nil,
    parts: { config in
      var mixture = try MixtureConfiguration(config, experts: "num_local_experts", size: "intermediate_size")
      mixture.routing.normalization = 0
      mixture.jitter = try config.float("router_jitter_noise")
      var parts = Llama.BlockParts()
      parts.feedForward = { block, _, c, initializer in
        try mixture.sublayer(
          block / "block_sparse_moe", fused: block / "mlp", names: .init(gate: "w1", up: "w3", down: "w2"), c, initializer)
      }
      return parts
    })
}
