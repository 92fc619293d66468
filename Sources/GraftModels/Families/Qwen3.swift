import GraftLayers

extension ModelFamily {
  /// Qwen3: Llama with norms of every query and key head (Yang et al. 2025).
  public static let qwen3 = Llama.family(
    "qwen3", classNames: "Qwen3", configuration: ConfigurationKeys(.qwen + [.read("head_dim", 128), .read("attention_bias", false)]),
    defaultTargets: Llama.qwenTargets, gguf: "qwen3", adjust: { c, _ in c.hasHeadNorms = true })
}
