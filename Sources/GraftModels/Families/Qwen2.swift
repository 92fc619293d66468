import GraftLayers

extension ModelFamily {
  /// Qwen2: Llama with biases of queries, keys and values, and windows from some layer on (Yang et al. 2024).
  public static let qwen2 = RotaryDecoder.family(
    "qwen2", classNames: "Qwen2", configuration: ConfigurationKeys(.qwen + [.optional("head_dim")]), defaultTargets: .qwen,
    gguf: GGUFForm("qwen2") { c, config, _, model in try GGUFForm.noteWindow(c, config, in: &model) },
    read: { config in
      var c = try RotaryDecoder.Configuration(config)
      c.hasInputBias = true
      return c
    }
  ) { try $0.preNormed() }
}

extension [ConfigurationKey] {
  /// The keys of Qwen2 and Qwen3.
  static let qwen: [ConfigurationKey] =
    rotaryDecoder + [
      .read("num_key_value_heads", 32, orNull: true), .read("max_position_embeddings", 32_768), .read("use_sliding_window", false),
      .read("sliding_window", 4096, orNull: true), .read("max_window_layers", 28), .read("attention_dropout", 0.0),
    ]
}

extension DefaultTargets {
  /// PEFT's targets of Qwen2 and Qwen3.
  static let qwen = DefaultTargets(scaled: [.query, .value, .down], scaledInputs: [.down], norms: ["post_attention_layernorm"])
}
