extension ModelFamily {
  /// Mistral: Llama with a sliding window (Jiang et al. 2023).
  public static let mistral = RotaryDecoder.family(
    "mistral", classNames: "Mistral",
    configuration: ConfigurationKeys(
      .rotaryDecoder + [
        .read("num_key_value_heads", 8), .read("head_dim", .null), .read("max_position_embeddings", 131_072),
        .read("sliding_window", 4096, orNull: true), .read("attention_dropout", 0.0), .only("attention_chunk_size", .null),
      ]),
    defaultTargets: .llama,
    gguf: GGUFForm("llama", interleavesPairs: true, reading: GGUFReading(isDescribed: { $0.contains("attention.sliding_window") }) { _ in [] }) {
      c, config, _, model in
      try GGUFForm.noteWindow(c, config, in: &model)
    }
  ) { try $0.preNormed() }
}
