import GraftJSON

/// A configuration of two layers, 12 wide, over 23 tokens, for every architecture there is.
public enum TinyConfiguration {
  public static let gpt2: JSON = ["model_type": "gpt2", "vocab_size": 23, "n_embd": 12, "n_layer": 2, "n_head": 3, "n_positions": 40]

  /// A Llama whose three heads share one head of keys and values.
  public static let llama = decoder("llama", heads: 3)
  /// A Mistral with a window of three tokens.
  public static let mistral = decoder("mistral", heads: 2).setting(["num_key_value_heads": 2, "sliding_window": 3, "tie_word_embeddings": true])
  public static let qwen = decoder("qwen", heads: 2).setting(["intermediate_size": 28])
  public static let qwen2 = decoder("qwen2", heads: 2).setting(["tie_word_embeddings": true])
  public static let qwen3 = decoder("qwen3", heads: 2).setting(["head_dim": 8])

  public static let gemma = decoder("gemma", heads: 3).setting(["head_dim": 6])
  public static let gemma2 = decoder("gemma2", heads: 3).setting(["head_dim": 6, "sliding_window": 3, "query_pre_attn_scalar": 7])
  /// A Gemma 3 whose first layer has a window of three tokens.
  public static let gemma3 = decoder("gemma3_text", heads: 3).setting([
    "head_dim": 6, "sliding_window": 3, "sliding_window_pattern": 2, "query_pre_attn_scalar": 7,
  ])
  public static let granite = decoder("granite", heads: 3).setting([
    "embedding_multiplier": 1.5, "residual_multiplier": 0.7, "attention_multiplier": 0.4, "logits_scaling": 2.0,
  ])
  /// A Phi-3 that rotates half of each head, with a window of three tokens.
  public static let phi3 = decoder("phi3", heads: 3).setting(["partial_rotary_factor": 0.5, "sliding_window": 3])
  public static let glm = decoder("glm", heads: 2).setting(["head_dim": 8])
  public static let glm4 = decoder("glm4", heads: 2).setting(["head_dim": 8, "tie_word_embeddings": true])
  /// An OLMo 2 whose norms meet states that are large enough to learn from in a few steps.
  public static let olmo2 = decoder("olmo2", heads: 3).setting(["initializer_range": 0.2])
  public static let openAIGPT: JSON = ["model_type": "openai-gpt", "vocab_size": 23, "n_embd": 12, "n_layer": 2, "n_head": 3, "n_positions": 40]
  public static let bloom: JSON = ["model_type": "bloom", "vocab_size": 23, "hidden_size": 12, "n_layer": 2, "n_head": 3]

  /// A Mixtral of four experts, of which each token uses two.
  public static let mixtral = decoder("mixtral", heads: 3).setting(["num_local_experts": 4, "num_experts_per_tok": 2])
  /// A Qwen2-MoE with one dense layer, and shared experts behind a gate.
  public static let qwen2MoE = decoder("qwen2_moe", heads: 2).setting([
    "num_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 7, "shared_expert_intermediate_size": 9, "mlp_only_layers": [0],
  ])
  public static let qwen3MoE = decoder("qwen3_moe", heads: 2).setting([
    "num_experts": 5, "num_experts_per_tok": 3, "moe_intermediate_size": 7, "norm_topk_prob": true,
  ])
  /// A gpt-oss with a window of three tokens in its first layer.
  public static let gptOss = decoder("gpt_oss", heads: 2).setting([
    "num_local_experts": 4, "num_experts_per_tok": 2, "head_dim": 8, "sliding_window": 3,
  ])
  public static let deepSeekV2 = decoder("deepseek_v2", heads: 3).setting(latent)
  /// A DeepSeek-V3 whose experts are in two groups.
  public static let deepSeekV3 = decoder("deepseek_v3", heads: 3).setting(latent).setting([
    "n_routed_experts": 6, "n_group": 2, "topk_group": 1, "q_lora_rank": 7,
  ])

  /// Latent attention, and mixtures from the second layer on.
  private static let latent: JSON = [
    "kv_lora_rank": 8, "q_lora_rank": .null, "qk_nope_head_dim": 5, "qk_rope_head_dim": 4, "v_head_dim": 6, "moe_intermediate_size": 7,
    "n_routed_experts": 4, "n_shared_experts": 2, "num_experts_per_tok": 2, "first_k_dense_replace": 1, "num_key_value_heads": 3,
  ]

  public static let mamba: JSON = ["model_type": "mamba", "vocab_size": 23, "hidden_size": 12, "num_hidden_layers": 2, "state_size": 3]
  /// A Mamba-2 whose heads are in two groups.
  public static let mamba2: JSON = [
    "model_type": "mamba2", "vocab_size": 23, "hidden_size": 12, "num_hidden_layers": 2, "state_size": 3, "num_heads": 4, "head_dim": 6,
    "n_groups": 2,
  ]
  /// An RWKV-7 of three heads.
  public static let rwkv7: JSON = [
    "model_type": "rwkv7", "vocab_size": 23, "hidden_size": 12, "num_hidden_layers": 2, "head_dim": 4, "intermediate_size": 20,
    "decay_low_rank_dim": 4, "a_low_rank_dim": 4, "v_low_rank_dim": 2, "gate_low_rank_dim": 4,
  ]
  /// An RWKV-5 of three heads.
  public static let rwkv5: JSON = [
    "model_type": "rwkv5", "vocab_size": 23, "hidden_size": 12, "num_hidden_layers": 2, "head_size": 4, "intermediate_size": 20,
  ]
  public static let rwkv6 = rwkv5.setting(["model_type": "rwkv6"])
  /// An RWKV whose states are halved after each layer outside training.
  public static let rwkv: JSON = ["model_type": "rwkv", "vocab_size": 23, "hidden_size": 12, "num_hidden_layers": 2, "rescale_every": 1]

  public static let bert = encoder("bert")
  public static let roberta = encoder("roberta")
  public static let distilbert: JSON = [
    "model_type": "distilbert", "vocab_size": 23, "dim": 12, "hidden_dim": 20, "n_layers": 2, "n_heads": 3, "max_position_embeddings": 40,
  ]

  public static let t5: JSON = [
    "model_type": "t5", "vocab_size": 23, "d_model": 12, "d_kv": 5, "d_ff": 20, "num_layers": 2, "num_heads": 2,
    "relative_attention_num_buckets": 8, "relative_attention_max_distance": 9,
  ]
  /// A T5 with gates in its feed-forward layers.
  public static let gatedT5 = t5.setting(["feed_forward_proj": "gated-gelu"])
  public static let mt5: JSON = [
    "model_type": "mt5", "vocab_size": 23, "d_model": 12, "d_kv": 5, "d_ff": 20, "num_layers": 2, "num_heads": 2,
    "feed_forward_proj": "gated-gelu", "tie_word_embeddings": false,
  ]
  public static let bart: JSON = [
    "model_type": "bart", "vocab_size": 23, "d_model": 12, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 3,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 20, "decoder_ffn_dim": 18, "max_position_embeddings": 40,
  ]
  public static let transformer: JSON = ["model_type": "transformer", "vocab_size": 23, "d_model": 12, "num_layers": 2, "num_heads": 3]

  /// The keys that some families need besides, since the sizes of their heads make up others.
  private static let own: [String: JSON] = [
    "deepseek_v2": ["num_experts_per_tok": 2], "mamba2": ["head_dim": 12, "n_groups": 1], "rwkv5": ["head_size": 6], "rwkv6": ["head_size": 6],
    "rwkv7": ["head_dim": 6],
  ]

  /// Returns a configuration of any family that is known, a program's own included: no family reads a key that it does not have.
  public static func any(_ type: String) -> JSON {
    let all: JSON = [
      "model_type": .string(type),
      "vocab_size": 23,
      "hidden_size": 12, "n_embd": 12, "d_model": 12, "dim": 12,
      "intermediate_size": 20, "hidden_dim": 20, "d_ff": 20, "encoder_ffn_dim": 20, "decoder_ffn_dim": 20,
      "num_hidden_layers": 2, "n_layer": 2, "n_layers": 2, "num_layers": 2, "encoder_layers": 2, "decoder_layers": 2,
      "num_attention_heads": 2, "n_head": 2, "n_heads": 2, "num_heads": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
      "num_key_value_heads": 1, "d_kv": 6,
    ]
    return all.setting(own[type] ?? [:])
  }

  /// Returns a decoder in Llama's terms, with one head of keys and values.
  public static func decoder(_ type: String, heads: Int) -> JSON {
    [
      "model_type": .string(type), "vocab_size": 23, "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2,
      "num_attention_heads": .integer(heads), "num_key_value_heads": 1,
    ]
  }

  /// Returns an encoder in BERT's terms.
  public static func encoder(_ type: String) -> JSON {
    [
      "model_type": .string(type), "vocab_size": 23, "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2,
      "num_attention_heads": 3, "max_position_embeddings": 40,
    ]
  }
}
