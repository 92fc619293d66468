import GraftLayers

extension ModelFamily {
  /// Llama, of all versions: pre-normed blocks of rotary grouped-query attention and a gated feed-forward
  /// (Touvron et al. 2023, section 2.2).
  public static let llama = RotaryDecoder.family(
    "llama", classNames: "Llama",
    configuration: ConfigurationKeys(
      .rotaryDecoder + .unwindowed + [
        .read("num_key_value_heads", .null), .read("head_dim", .null), .read("max_position_embeddings", 2048), .read("attention_bias", false),
        .read("attention_dropout", 0.0, orNull: true), .read("mlp_bias", false),
      ] + ConfigurationKey.withoutEffect("pretraining_tp")),
    defaultTargets: .llama,
    gguf: GGUFForm("llama", interleavesPairs: true, reading: GGUFReading(isDescribed: { !$0.contains("attention.sliding_window") }) { _ in [] })
  ) { try $0.preNormed() }
}

extension DefaultTargets {
  /// PEFT's targets of Llama and Mistral.
  static let llama = DefaultTargets(
    scaled: [.key, .value, .down], scaledInputs: [.down], norms: ["input_layernorm", "post_attention_layernorm", "norm"])
}
