import GraftConfiguration

extension ModelFamily {
  /// The families of the package, one line each.
  private static let builtIn: [ModelFamily] = [
    .bart,
    .bert,
    .bloom,
    .deepSeekV2,
    .deepSeekV3,
    .distilBert,
    .gemma,
    .gemma2,
    .gemma3,
    .glm,
    .glm4,
    .gpt2,
    .gptOss,
    .granite,
    .llama,
    .mamba,
    .mamba2,
    .mistral,
    .mixtral,
    .mt5,
    .olmo2,
    .openAIGPT,
    .phi3,
    .qwen,
    .qwen2,
    .qwen2MoE,
    .qwen3,
    .qwen3MoE,
    .roberta,
    .rwkv,
    .rwkv5,
    .rwkv6,
    .rwkv7,
    .t5,
    .transformer,
  ]

  /// The families by `model_type`: those of the package, and those that a program adds.
  ///
  ///     try ModelFamily.registry.register(myFamily)
  public static let registry = Registry("model_type", builtIn) { $0.modelType }
}
