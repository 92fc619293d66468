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

extension BlockLayers {
  /// Gemma 2's block: a norm before and a norm after each sublayer (Gemma Team 2024, "Gemma 2", section 2).
  func sandwiched(norms: HeadNorms = .none, rotary: Int = 0) throws -> TransformerBlock {
    let attention = try attention(norms: norms, rotary: rotary)
    let feedForward = try feedForward()
    return TransformerBlock(
      at: scope, Residual(.around(try norm("input_layernorm"), try norm("post_attention_layernorm")), attention),
      Residual(.around(try norm("pre_feedforward_layernorm"), try norm("post_feedforward_layernorm")), feedForward))
  }
}

extension DefaultTargets {
  /// PEFT's targets of Gemma 2 and 3.
  static let gemma = DefaultTargets(
    scaled: [.query, .value, .down], scaledInputs: [.down],
    norms: ["input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm", "norm"])
}

extension GGUFForm {
  /// The names of the norms of Gemma 2's block.
  static let sandwichedNorms = [
    "post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm",
  ]

  /// Refuses a scale of scores and windows that an architecture does not have.
  /// - Parameter period: the number of layers of which the last sees everything.
  static func requireGemma(_ c: RotaryDecoder.Configuration, _ config: ArchitectureConfiguration, period: Int) throws(ArchitectureError) {
    guard try config.positiveFloat("query_pre_attn_scalar") == Float(c.headSize) else {
      throw config.withoutCounterpart("query_pre_attn_scalar other than head_dim")
    }
    guard c.windows.enumerated().allSatisfy({ ($0 + 1) % period == 0 ? $1 == nil : $1 != nil }) else {
      throw config.withoutCounterpart("another order of layers than a full one after every \(period - 1) with a window")
    }
  }
}

extension GGUFKeys {
  /// The divisor of scores, which is that of the size of heads in the Gemmas that llama.cpp has.
  func gemma() throws(ArchitectureError) -> [(String, JSON)] { [("query_pre_attn_scalar", .integer(try count("attention.key_length")))] }
}

extension ArchitectureConfiguration {
  /// The cap that a key names, nil for none.
  func softcap(_ key: String) throws(ArchitectureError) -> Float? { contains(key) ? try positiveFloat(key) : nil }
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
