import GraftLayers
import GraftTensors

extension ModelFamily {
  /// Gemma 2: Gemma with capped scores and logits, norms before and after each sublayer, and a window in every other layer
  /// (Gemma Team 2024, "Gemma 2", section 2).
  public static let gemma2 = RotaryDecoder.family(
    "gemma2", classNames: "Gemma2",
    configuration: ConfigurationKeys(
      .gemma + [
        .read("num_key_value_heads", 4), .read("hidden_activation", "gelu_pytorch_tanh"), .read("max_position_embeddings", 8192),
        .read("attention_dropout", 0.0, orNull: true), .read("query_pre_attn_scalar", 256), .read("sliding_window", 4096, orNull: true),
        .read("final_logit_softcapping", 30.0, orNull: true), .read("attn_logit_softcapping", 50.0, orNull: true),
        .only("attention_chunk_size", .null), .only("is_causal", true),
      ] + ConfigurationKey.withoutEffect("hidden_act")),
    defaultTargets: .gemma,
    gguf: GGUFForm(
      "gemma2", blockModules: GGUFForm.sandwichedNorms, activation: (.fixed(.geluTanh), "gelu_pytorch_tanh"), normOffset: 1,
      reading: GGUFReading { keys in
        try keys.gemma() + [
          ("attn_logit_softcapping", try keys.number("attn_logit_softcapping")),
          ("final_logit_softcapping", try keys.number("final_logit_softcapping")),
        ]
      }
    ) { c, config, metadata, _ in
      try GGUFForm.requireNoBias(c, config, in: "gemma2")
      try GGUFForm.requireTie(c, config)
      try GGUFForm.requireGemma(c, config, period: 2)
      guard let score = c.scoreSoftcap, let logit = c.logitSoftcap else { throw config.withoutCounterpart("a Gemma 2 without caps") }
      metadata.add("attn_logit_softcapping", score)
      metadata.add("final_logit_softcapping", logit)
    },
    read: { config in
      var c = try RotaryDecoder.Configuration(config, activationKey: "hidden_activation").scaledForGemma()
      c.scoreScale = 1 / (try config.positiveFloat("query_pre_attn_scalar")).squareRoot()
      c.scoreSoftcap = try config.softcap("attn_logit_softcapping")
      c.logitSoftcap = try config.softcap("final_logit_softcapping")
      c.windows = try config.windows(layers: c.layers, period: 2)
      return c
    }
  ) { try $0.sandwiched() }
}
