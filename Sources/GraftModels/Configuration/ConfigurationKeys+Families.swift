import GraftJSON

/// Every key of every family's configuration class in Transformers, and those that its code looks for besides.
extension ConfigurationKeys {
  package static let families: [String: ConfigurationKeys] = [
    "bart": bart, "bert": bert, "distilbert": distilBert, "gpt2": gpt2, "llama": llama, "mistral": mistral, "mt5": mt5, "qwen2": qwen2,
    "qwen3": qwen3, "roberta": roberta, "t5": t5, "transformer": transformer,
  ]

  /// What all classes have from their base.
  private static let common: [ConfigurationKey] =
    [
      .optional("architectures"), .optional("id2label"), .optional("num_labels"), .optional("problem_type"),
      .only("quantization_config", .null, advice: "take the checkpoint as it was before it was quantized"),
      .only("compression_config", .null, advice: "take the checkpoint as it was before it was quantized"),
      .only("per_layer_config", .null, [:], advice: "all layers must have the same sizes"),
      .only("pruned_heads", .null, [:], advice: "heads that were pruned are not supported"),
    ]
    + ConfigurationKey.withoutEffect(
      "transformers_version", "output_hidden_states", "output_attentions", "return_dict", "dtype", "torch_dtype", "chunk_size_feed_forward",
      "label2id", "use_cache", "name_or_path", "attn_implementation")

  private static let tokens = ConfigurationKey.generation("bos_token_id", "eos_token_id")

  /// What makes another model of a decoder that has no window than Transformers' class is.
  private static let unwindowed: [ConfigurationKey] = [.only("sliding_window", .null), .only("attention_chunk_size", .null)]

  private static let decoder: [ConfigurationKey] =
    common + tokens + [
      .only("is_encoder_decoder", false), .read("is_causal", true), .optional(ArchitectureConfiguration.attentionStyleKey),
      .optional("classifier_dropout"), .optional("hidden_dropout"), .only("token_classification_bias", true), .read("pad_token_id", .null),
    ]

  private static let encoder: [ConfigurationKey] =
    common + tokens + [
      .only("is_encoder_decoder", false), .only("is_decoder", false), .only("add_cross_attention", false),
      .only("position_embedding_type", "absolute"),
    ]

  private static let encoderDecoder: [ConfigurationKey] =
    common + tokens + unwindowed + [
      .only("is_encoder_decoder", true), .only("is_causal", true), .only("tie_encoder_decoder", false, .null),
    ] + ConfigurationKey.withoutEffect("is_decoder", "classifier_dropout", "classif_dropout")

  // MARK: Decoders

  static let gpt2 = ConfigurationKeys(
    decoder + unwindowed + [
      .size("vocab_size"), .size("n_embd"), .size("n_layer"), .size("n_head"), .read("n_positions", 1024), .read("n_inner", .null),
      .read("activation_function", "gelu_new"), .read("resid_pdrop", 0.1), .read("embd_pdrop", 0.1), .read("attn_pdrop", 0.1),
      .read("layer_norm_epsilon", 1e-5), .read("initializer_range", 0.02), .read("scale_attn_weights", true),
      .read("scale_attn_by_inverse_layer_idx", false), .read("tie_word_embeddings", true), .only("add_cross_attention", false),
    ]
      + ConfigurationKey.withoutEffect(
        "summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels", "summary_first_dropout", "reorder_and_upcast_attn"),
    synonyms: [
      "hidden_size": "n_embd", "max_position_embeddings": "n_positions", "num_attention_heads": "n_head", "num_hidden_layers": "n_layer",
    ])

  /// What Llama and its relatives have in common.
  private static let rotaryDecoder: [ConfigurationKey] =
    decoder + [
      .size("vocab_size"), .size("hidden_size"), .size("intermediate_size"), .size("num_hidden_layers"), .size("num_attention_heads"),
      .read("hidden_act", "silu"), .read("initializer_range", 0.02), .read("rms_norm_eps", 1e-6), .read("tie_word_embeddings", false),
      .read("rope_parameters", .null), .optional("rope_scaling"), .optional("rope_theta"), .optional("partial_rotary_factor"),
      .optional("original_max_position_embeddings"), .optional("layer_types"),
    ]

  static let llama = ConfigurationKeys(
    rotaryDecoder + unwindowed + [
      .read("num_key_value_heads", .null), .read("head_dim", .null), .read("max_position_embeddings", 2048), .read("attention_bias", false),
      .read("attention_dropout", 0.0, orNull: true), .read("mlp_bias", false),
    ] + ConfigurationKey.withoutEffect("pretraining_tp"))

  static let mistral = ConfigurationKeys(
    rotaryDecoder + [
      .read("num_key_value_heads", 8), .read("head_dim", .null), .read("max_position_embeddings", 131_072),
      .read("sliding_window", 4096, orNull: true),
      .read("attention_dropout", 0.0), .only("attention_chunk_size", .null),
    ])

  private static let qwen: [ConfigurationKey] =
    rotaryDecoder + [
      .read("num_key_value_heads", 32, orNull: true), .read("max_position_embeddings", 32_768), .read("use_sliding_window", false),
      .read("sliding_window", 4096, orNull: true), .read("max_window_layers", 28), .read("attention_dropout", 0.0),
    ]

  static let qwen2 = ConfigurationKeys(qwen + [.optional("head_dim")])

  static let qwen3 = ConfigurationKeys(qwen + [.read("head_dim", 128), .read("attention_bias", false)])

  // MARK: Encoders

  private static let bertKeys: [ConfigurationKey] =
    encoder + [
      .size("vocab_size"), .size("hidden_size"), .size("num_hidden_layers"), .size("num_attention_heads"), .size("intermediate_size"),
      .read("hidden_act", "gelu"), .read("hidden_dropout_prob", 0.1), .read("attention_probs_dropout_prob", 0.1),
      .read("max_position_embeddings", 512), .read("type_vocab_size", 2), .read("initializer_range", 0.02), .read("layer_norm_eps", 1e-12),
      .read("classifier_dropout", .null), .read("tie_word_embeddings", true),
    ]

  static let bert = ConfigurationKeys(bertKeys + [.read("pad_token_id", 0, orNull: true)])

  static let roberta = ConfigurationKeys(bertKeys + [.read("pad_token_id", 1)])

  static let distilBert = ConfigurationKeys(
    encoder + [
      .size("vocab_size"), .size("dim"), .size("hidden_dim"), .size("n_layers"), .size("n_heads"), .read("max_position_embeddings", 512),
      .read("sinusoidal_pos_embds", false), .read("dropout", 0.1), .read("attention_dropout", 0.1), .read("activation", "gelu"),
      .read("initializer_range", 0.02), .read("seq_classif_dropout", 0.2), .read("pad_token_id", 0, orNull: true),
      .read("tie_word_embeddings", true),
    ] + ConfigurationKey.withoutEffect("qa_dropout"),
    synonyms: ["hidden_size": "dim", "num_attention_heads": "n_heads", "num_hidden_layers": "n_layers"])

  // MARK: Encoder-decoders

  static let bart = ConfigurationKeys(
    encoderDecoder + [
      .size("vocab_size"), .size("d_model"), .size("encoder_layers"), .size("decoder_layers"), .size("encoder_attention_heads"),
      .size("decoder_attention_heads"), .size("encoder_ffn_dim"), .size("decoder_ffn_dim"), .read("max_position_embeddings", 1024),
      .read("activation_function", "gelu"), .read("dropout", 0.1, orNull: true), .read("attention_dropout", 0.0, orNull: true),
      .read("activation_dropout", 0.0, orNull: true), .read("encoder_layerdrop", 0.0, orNull: true), .read("decoder_layerdrop", 0.0, orNull: true),
      .read("init_std", 0.02), .read("scale_embedding", false), .read("pad_token_id", 1, orNull: true),
      .read("decoder_start_token_id", 2, orNull: true), .read("tie_word_embeddings", true), .only("normalize_before", false),
      .only("normalize_embedding", true), .only("add_final_layer_norm", false), .only("static_position_embeddings", false),
    ] + ConfigurationKey.generation("forced_bos_token_id", "forced_eos_token_id"),
    synonyms: ["num_attention_heads": "encoder_attention_heads", "hidden_size": "d_model", "num_hidden_layers": "encoder_layers"])

  private static let t5Keys: [ConfigurationKey] =
    encoderDecoder + [
      .size("vocab_size"), .size("d_model"), .size("d_kv"), .size("d_ff"), .size("num_layers"), .size("num_heads"),
      .read("num_decoder_layers", .null), .read("relative_attention_num_buckets", 32), .read("relative_attention_max_distance", 128),
      .read("dropout_rate", 0.1), .read("layer_norm_epsilon", 1e-6), .read("initializer_factor", 1.0), .read("pad_token_id", 0, orNull: true),
    ]

  private static let t5Synonyms = [
    "hidden_size": "d_model", "num_attention_heads": "num_heads", "num_hidden_layers": "num_layers", "head_dim": "d_kv",
  ]

  static let t5 = ConfigurationKeys(
    t5Keys + [
      .read("feed_forward_proj", "relu"), .optional("tie_word_embeddings"), .optional("scale_decoder_outputs"), .optional("decoder_start_token_id"),
    ], synonyms: t5Synonyms)

  static let mt5 = ConfigurationKeys(
    t5Keys + [.read("feed_forward_proj", "gated-gelu"), .read("decoder_start_token_id", 0, orNull: true)]
      + ConfigurationKey.withoutEffect("tie_word_embeddings"),
    synonyms: t5Synonyms)

  /// Our own: no class of Transformers.
  static let transformer = ConfigurationKeys(
    common + ConfigurationKey.generation("eos_token_id") + [
      .size("vocab_size"), .read("d_model", 512), .read("num_heads", 8), .read("num_layers", 6), .read("num_decoder_layers", .null),
      .read("d_ff", .null), .read("dropout", 0.1), .read("activation_function", "relu"), .optional("decoder_start_token_id"),
      .optional("bos_token_id"), .optional("pad_token_id"),
    ])
}
