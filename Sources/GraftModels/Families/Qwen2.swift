import GraftLayers

extension ModelFamily {
  /// Qwen2: Llama with biases of queries, keys and values, and windows from some layer on (Yang et al. 2024).
  public static let qwen2 = Llama.family(
    "qwen2", classNames: "Qwen2", configuration: ConfigurationKeys(.qwen + [.optional("head_dim")]), defaultTargets: Llama.qwenTargets,
    gguf: "qwen2",
    adjust: { c, _ in
      c.hasInputBias = true
      c.hasOutputBias = false
    })
}

extension [ConfigurationKey] {
  /// The keys of Qwen2 and Qwen3.
  static let qwen: [ConfigurationKey] =
    rotaryDecoder + [
      .read("num_key_value_heads", 32, orNull: true), .read("max_position_embeddings", 32_768), .read("use_sliding_window", false),
      .read("sliding_window", 4096, orNull: true), .read("max_window_layers", 28), .read("attention_dropout", 0.0),
    ]
}
