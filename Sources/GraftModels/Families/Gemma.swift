import GraftJSON
import GraftLayers
import GraftTensors

extension ModelFamily {
  /// Gemma: Llama with scaled embeddings, norms that store their weights less 1, and a gate of GELU (Gemma Team 2024).
  public static let gemma = RotaryDecoder.family(
    "gemma", classNames: "Gemma",
    configuration: ConfigurationKeys(
      .gemma + .unwindowed + [
        .read("num_key_value_heads", 16), .read("hidden_act", "gelu_pytorch_tanh"), .read("max_position_embeddings", 8192),
        .read("attention_dropout", 0.0),
      ]),
    defaultTargets: DefaultTargets(
      scaled: [.query, .value, .down], scaledInputs: [.down], norms: ["input_layernorm", "post_attention_layernorm", "norm"]),
    gguf: GGUFForm("gemma", activation: (.fixed(.geluTanh), "gelu_pytorch_tanh"), normOffset: 1) { c, config, _, _ in
      try GGUFForm.requireNoBias(c, config, in: "gemma")
      try GGUFForm.requireTie(c, config)
    },
    read: { config in
      var c = try RotaryDecoder.Configuration(config).scaledForGemma()
      // Its first files said "gelu" and meant the approximation.
      if try config.string("hidden_act") == "gelu" { c.activation = .fixed(.geluTanh) }
      return c
    }
  ) { try $0.preNormed() }
}

extension [ConfigurationKey] {
  /// The keys of all Gemmas.
  static let gemma: [ConfigurationKey] =
    rotaryDecoder + [
      .read("head_dim", 256), .read("attention_bias", false), .read("tie_word_embeddings", true), .read("pad_token_id", 0, orNull: true),
      .only("use_bidirectional_attention", .null, false),
    ]
}

extension RotaryDecoder.Configuration {
  /// The configuration with the root of the width as the factor of embeddings, and norms that add 1 to their weights.
  func scaledForGemma() -> Self {
    var copy = self
    copy.embeddingScale = Float(hiddenSize).squareRoot()
    copy.normOffset = 1
    return copy
  }
}
