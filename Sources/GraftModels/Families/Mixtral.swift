import GraftLayers

extension ModelFamily {
  /// Mixtral: Mistral with a mixture of experts in every block, of which each token uses two (Jiang et al. 2024).
  public static let mixtral = RotaryDecoder.family(
    "mixtral", classNames: "Mixtral",
    configuration: ConfigurationKeys(
      .rotaryDecoder + [
        .read("rms_norm_eps", 1e-5), .read("rope_theta", 1e6), .read("num_key_value_heads", 8), .read("head_dim", .null),
        .read("max_position_embeddings", 131_072), .read("sliding_window", .null), .read("attention_dropout", 0.0),
        .only("attention_chunk_size", .null), .read("num_experts_per_tok", 2), .read("num_local_experts", 8), .read("router_jitter_noise", 0.0),
      ] + .balancing, synonyms: ["num_experts": "num_local_experts"]),
    defaultTargets: DefaultTargets(scaled: [.key, .value, .expertDown], scaledInputs: [.expertDown]), renamedModules: ["block_sparse_moe": "mlp"]
  ) { layers in
    var mixture = try MixtureConfiguration(layers.config, experts: "num_local_experts", size: "intermediate_size")
    mixture.routing.normalization = 0
    mixture.jitter = try layers.config.float("router_jitter_noise")
    return try layers.preNormed(feedForward: {
      try $0.mixture(mixture, in: "block_sparse_moe", names: .init(gate: "w1", up: "w3", down: "w2"))
    })
  }
}

extension [ConfigurationKey] {
  /// The keys of the losses of routers.
  static let balancing: [ConfigurationKey] = [
    .read("output_router_logits", false), .read("router_aux_loss_coef", 0.001), .read("router_z_loss_coef", 0.0),
  ]
}
