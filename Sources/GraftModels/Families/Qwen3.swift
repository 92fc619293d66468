import GraftLayers

extension ModelFamily {
  /// Qwen3: Llama with norms of every query and key head (Yang et al. 2025).
  public static let qwen3 = RotaryDecoder.family(
    "qwen3", classNames: "Qwen3", configuration: ConfigurationKeys(.qwen + [.read("head_dim", 128), .read("attention_bias", false)]),
    defaultTargets: .qwen,
    gguf: GGUFForm("qwen3") { c, config, _, model in
      try GGUFForm.requireNoBias(c, config, in: "qwen3")
      try GGUFForm.noteWindow(c, config, in: &model)
    }
  ) { try $0.preNormed(attention: { try $0.attention(norms: .eachHead) }) }
}
