import GraftLayers

extension ModelFamily {
  /// OLMo 2: Llama with norms of what sublayers give in place of what they read, and of all queries and keys together
  /// (OLMo Team 2024, section 2).
  public static let olmo2 = RotaryDecoder.family(
    "olmo2", classNames: "Olmo2", tasks: [.causalLM, .sequenceClassification],
    configuration: ConfigurationKeys(
      .rotaryDecoder + .unwindowed + [
        .read("num_key_value_heads", .null), .optional("head_dim"), .read("max_position_embeddings", 2048), .read("attention_bias", false),
        .read("attention_dropout", 0.0), .read("rms_norm_eps", 1e-5), .read("pad_token_id", 1, orNull: true),
      ]),
    gguf: GGUFForm("olmo2", blockModules: ["post_attention_layernorm": "post_attention_norm", "post_feedforward_layernorm": "post_ffw_norm"]) {
      c, config, _, _ in try GGUFForm.requireNoBias(c, config, in: "olmo2")
    }
  ) { layers in
    let attention = try layers.attention(norms: .allHeads)
    let feedForward = try layers.feedForward()
    return TransformerBlock(
      at: layers.scope, Residual(.inside(try layers.norm("post_attention_layernorm")), attention),
      Residual(.inside(try layers.norm("post_feedforward_layernorm")), feedForward))
  }
}
