import GraftJSON
import GraftLayers
import GraftTensors

extension ModelFamily {
  /// Gemma 3's language model: Gemma 2 without the cap of scores, with norms of every query and key head, five layers with a window for
  /// each without, and rotary positions of another base in each kind (Gemma Team 2025, section 2).
  public static let gemma3 = RotaryDecoder.family(
    "gemma3_text", classNames: ModelFamily.ClassNames("Gemma3", [.sequenceClassification: "TextForSequenceClassification"]),
    tasks: [.causalLM, .sequenceClassification],
    configuration: ConfigurationKeys(
      .gemma + [
        .read("num_key_value_heads", 4), .read("hidden_activation", "gelu_pytorch_tanh"), .read("max_position_embeddings", 131_072),
        .read("attention_dropout", 0.0, orNull: true), .read("query_pre_attn_scalar", 256), .read("sliding_window", 4096, orNull: true),
        .read("final_logit_softcapping", .null), .optional("rope_local_base_freq"), .read("sliding_window_pattern", 6),
        .only("attention_chunk_size", .null), .only("is_causal", true),
      ] + ConfigurationKey.withoutEffect("hidden_act", "attn_logit_softcapping")),
    defaultTargets: .gemma,
    gguf: GGUFForm(
      "gemma3", blockModules: GGUFForm.sandwichedNorms, activation: (.fixed(.geluTanh), "gelu_pytorch_tanh"), normOffset: 1,
      reading: GGUFReading { keys in
        try keys.gemma() + [
          ("rope_local_base_freq", try keys.number("rope.freq_base_swa", default: 10_000.0)), ("sliding_window_pattern", 6),
          ("final_logit_softcapping", try keys.number("final_logit_softcapping", default: .null)),
        ]
      }
    ) { c, config, metadata, _ in
      try GGUFForm.requireNoBias(c, config, in: "gemma3")
      try GGUFForm.requireGemma(c, config, period: 6)
      if let cap = c.logitSoftcap { metadata.add("final_logit_softcapping", cap) }
      metadata.add("rope.freq_base_swa", c.rotary[1].base)
    },
    read: { config in
      var c = try RotaryDecoder.Configuration(config, activationKey: "hidden_activation") { size throws(ArchitectureError) in
        try config.rotaryByKind(headSize: size)
      }.scaledForGemma()
      c.scoreScale = 1 / (try config.positiveFloat("query_pre_attn_scalar")).squareRoot()
      c.logitSoftcap = try config.softcap("final_logit_softcapping")
      c.windows = try config.windows(layers: c.layers, period: try config.count("sliding_window_pattern"))
      return c
    }
  ) { layers in
    try layers.sandwiched(norms: .eachHead, rotary: layers.configuration.windows[layers.layer] == nil ? 0 : 1)
  }
}

extension ArchitectureConfiguration {
  /// The rotary positions of layers without a window, and of those with one.
  ///
  /// `rope_scaling` (transformers 4) is that of layers without a window, laid over what `rope_parameters` (transformers 5) says of them.
  fileprivate func rotaryByKind(headSize: Int) throws(ArchitectureError) -> [RotaryFrequencies] {
    let parameters = try section("rope_parameters")
    func settings(_ kind: String) throws(ArchitectureError) -> ArchitectureConfiguration {
      try parameters?.section(kind) ?? ArchitectureConfiguration(["rope_type": "default"], source: source)
    }
    func base(_ settings: ArchitectureConfiguration, _ key: String, _ fallback: Float) throws(ArchitectureError) -> Float {
      if settings.contains("rope_theta") { return try settings.positiveFloat("rope_theta") }
      return contains(key) ? try positiveFloat(key) : fallback
    }
    var full = try settings("full_attention")
    if let scaling = try section("rope_scaling")?.json.object {
      var json = full.json
      for (key, value) in scaling { json[key] = value }
      full = ArchitectureConfiguration(json, source: full.source)
    }
    let sliding = try settings("sliding_attention")
    return [
      try rotaryFrequencies(headSize: headSize, full, base: try base(full, "rope_theta", 1_000_000)),
      try rotaryFrequencies(headSize: headSize, sliding, base: try base(sliding, "rope_local_base_freq", 10_000)),
    ]
  }
}
