import GraftLayers
import GraftTensors

extension ModelFamily {
  /// GLM-4 in its first form: Llama with biases of queries, keys and values, one projection for the feed-forward's halves, and the
  /// first half of each head rotated, in pairs of neighbours (GLM Team 2024).
  public static let glm = GLM.family(
    "glm", classNames: "Glm",
    gguf: GGUFForm("chatglm", blockModules: ["mlp.gate_up_proj": "ffn_up"]),
    keys: [.read("num_key_value_heads", 2, orNull: true), .read("head_dim", 128, orNull: true), .read("attention_dropout", 0.0, orNull: true)]
  ) { try $0.preNormed(feedForward: { try $0.fusedFeedForward() }) }

  /// GLM-4-0414: the same with a norm after each sublayer, too.
  public static let glm4 = GLM.family(
    "glm4", classNames: "Glm4",
    gguf: GGUFForm(
      "glm4",
      blockModules: [
        "mlp.gate_up_proj": "ffn_up", "post_self_attn_layernorm": "post_attention_norm", "post_mlp_layernorm": "post_ffw_norm",
      ]),
    keys: [.read("num_key_value_heads", 2), .read("head_dim", 128), .read("attention_dropout", 0.0)]
  ) { layers in
    let attention = try layers.attention()
    let feedForward = try layers.fusedFeedForward()
    let attentionNorm = try layers.norm("input_layernorm")
    let feedForwardNorm = try layers.norm("post_attention_layernorm")
    return TransformerBlock(
      at: layers.scope, Residual(.around(attentionNorm, try layers.norm("post_self_attn_layernorm")), attention),
      Residual(.around(feedForwardNorm, try layers.norm("post_mlp_layernorm")), feedForward))
  }
}

/// The GLMs of Transformers.
private enum GLM {
  static func family(
    _ modelType: String, classNames: ModelFamily.ClassNames, gguf: GGUFForm, keys: [ConfigurationKey],
    block: @escaping @Sendable (BlockLayers) throws -> TransformerBlock
  ) -> ModelFamily {
    RotaryDecoder.family(
      modelType, classNames: classNames,
      configuration: ConfigurationKeys(
        .rotaryDecoder + .unwindowed + [
          .read("max_position_embeddings", 131_072), .read("rms_norm_eps", 1.5625e-07), .read("attention_bias", true),
          .read("pad_token_id", 151_329, orNull: true), .read("partial_rotary_factor", 0.5),
        ] + keys),
      gguf: gguf,
      read: { config in
        var c = try RotaryDecoder.Configuration(config, isPartial: true)
        c.hasOutputBias = false
        c.rotary[0].isInterleaved = true
        return c
      }, block: block)
  }
}
