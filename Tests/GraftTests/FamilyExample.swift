import Graft

extension ModelFamily {
  /// A decoder with Llama's layers, of which attention and feed-forward read one norm side by side (Wang and Komatsuzaki 2021), and whose
  /// attention scores stay between -50 and 50 unless its `config.json` says otherwise.
  static let twin = RotaryDecoder.family(
    "twin", classNames: "Twin",
    configuration: ConfigurationKeys(
      .rotaryDecoder + .unwindowed + [
        .read("num_key_value_heads", .null), .read("max_position_embeddings", 2048), .read("attention_dropout", 0.0),
        .read("attention_softcap", 50.0),
      ]),
    defaultTargets: DefaultTargets(scaled: [.key, .value, .down], scaledInputs: [.down], norms: ["input_layernorm", "norm"])
  ) { layers in
    var options = layers.options
    options.softcap = try layers.config.float("attention_softcap")
    let norm = try layers.norm("input_layernorm")
    let halves = ParallelSublayers([try layers.attention(options), try layers.feedForward()])
    return TransformerBlock(at: layers.scope, Residual(.before(norm), halves))
  }
}
