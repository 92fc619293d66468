import GraftLayers

extension ModelFamily {
  /// Granite: Llama with factors of the embeddings, of the scores, of what sublayers add and of the logits, which keep a rate of learning
  /// good for every width (Yang et al. 2022, "Tensor Programs V", appendix B; Granite Team 2024).
  public static let granite = RotaryDecoder.family(
    "granite", classNames: "Granite", tasks: [.causalLM],
    configuration: ConfigurationKeys(
      .rotaryDecoder + .unwindowed + [
        .read("num_key_value_heads", .null), .optional("head_dim"), .read("max_position_embeddings", 2048), .read("attention_bias", false),
        .read("attention_dropout", 0.0), .read("mlp_bias", false), .read("embedding_multiplier", 1.0), .read("logits_scaling", 1.0),
        .read("residual_multiplier", 1.0), .read("attention_multiplier", 1.0),
      ]),
    gguf: GGUFForm(
      "granite", interleavesPairs: true,
      reading: GGUFReading { keys in
        [
          ("attention_multiplier", try keys.number("attention.scale")), ("embedding_multiplier", try keys.number("embedding_scale", default: 1.0)),
          ("residual_multiplier", try keys.number("residual_scale", default: 1.0)), ("logits_scaling", try keys.number("logit_scale", default: 1.0)),
        ]
      }
    ) { c, config, metadata, _ in
      metadata.add("attention.scale", try config.positiveFloat("attention_multiplier"))
      metadata.add("embedding_scale", c.embeddingScale)
      metadata.add("residual_scale", c.residualMultiplier)
      metadata.add("logit_scale", try config.positiveFloat("logits_scaling"))
    },
    read: { config in
      var c = try RotaryDecoder.Configuration(config)
      c.embeddingScale = try config.float("embedding_multiplier")
      c.residualMultiplier = try config.float("residual_multiplier")
      c.scoreScale = try config.positiveFloat("attention_multiplier")
      c.headScale = 1 / (try config.positiveFloat("logits_scaling"))
      return c
    }
  ) { try $0.preNormed() }
}
