import GraftJSON

/// The keys that several families' configuration classes in Transformers have, and those that its code looks for besides.
extension [ConfigurationKey] {
  /// The keys that all classes have from their base.
  public static let common: [ConfigurationKey] =
    [
      .optional("architectures"), .optional("id2label"), .optional("num_labels"), .optional("problem_type"),
      .quantization,
      .only("compression_config", .null, advice: "take the checkpoint as it was before it was quantized"),
      .only("per_layer_config", .null, [:], advice: "all layers must have the same sizes"),
      .only("pruned_heads", .null, [:], advice: "heads that were pruned are not supported"),
    ]
    + ConfigurationKey.withoutEffect(
      "transformers_version", "output_hidden_states", "output_attentions", "return_dict", "dtype", "torch_dtype", "chunk_size_feed_forward",
      "label2id", "use_cache", "name_or_path", "attn_implementation")

  private static let tokens = ConfigurationKey.generation("bos_token_id", "eos_token_id")

  /// The keys that make another model of a decoder without a window than Transformers' class is.
  public static let unwindowed: [ConfigurationKey] = [.only("sliding_window", .null), .only("attention_chunk_size", .null)]

  /// The keys of decoders.
  public static let decoder: [ConfigurationKey] =
    common + tokens + [
      .only("is_encoder_decoder", false), .read("is_causal", true), .optional(ArchitectureConfiguration.attentionStyleKey),
      .optional("classifier_dropout"), .optional("hidden_dropout"), .only("token_classification_bias", true), .read("pad_token_id", .null),
    ]

  /// The keys of decoders with rotary positions and gated feed-forward layers: Llama and its relatives.
  public static let rotaryDecoder: [ConfigurationKey] =
    decoder + [
      .size("vocab_size"), .size("hidden_size"), .size("intermediate_size"), .size("num_hidden_layers"), .size("num_attention_heads"),
      .read("hidden_act", "silu"), .read("initializer_range", 0.02), .read("rms_norm_eps", 1e-6), .read("tie_word_embeddings", false),
      .read("rope_parameters", .null), .optional("rope_scaling"), .optional("rope_theta"), .optional("partial_rotary_factor"),
      .optional("original_max_position_embeddings"), .optional("layer_types"),
    ]

  /// The keys of encoders.
  public static let encoder: [ConfigurationKey] =
    common + tokens + [
      .only("is_encoder_decoder", false), .only("is_decoder", false), .only("add_cross_attention", false),
      .only("position_embedding_type", "absolute"),
    ]

  /// The keys of encoder-decoders.
  public static let encoderDecoder: [ConfigurationKey] =
    common + tokens + unwindowed + [
      .only("is_encoder_decoder", true), .only("is_causal", true), .only("tie_encoder_decoder", false, .null),
    ] + ConfigurationKey.withoutEffect("is_decoder", "classifier_dropout", "classif_dropout")
}
