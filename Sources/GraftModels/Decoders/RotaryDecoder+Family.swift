import GraftBatching
import GraftCheckpoints
import GraftLayers

extension RotaryDecoder {
  /// A family of rotary decoders.
  ///
  /// - Parameters:
  ///   - gguf: the family in llama.cpp; nil where it has none.
  ///   - read: reads a resolved configuration.
  ///   - block: makes a block of its layers.
  public static func family(
    _ modelType: String, classNames: ModelFamily.ClassNames,
    tasks: [LearningTask] = [.causalLM, .sequenceClassification, .tokenClassification], configuration: ConfigurationKeys,
    defaultTargets: DefaultTargets = DefaultTargets(), gguf: GGUFForm? = nil,
    read: @escaping @Sendable (ArchitectureConfiguration) throws -> Configuration = { try Configuration($0) },
    block: @escaping @Sendable (BlockLayers) throws -> TransformerBlock
  ) -> ModelFamily {
    .decoder(
      modelType, classNames: classNames, tasks: tasks, configuration: configuration,
      tensors: TensorNames(base: "model", vocabulary: ["embed_tokens.weight", "lm_head.weight"], classifiers: ["score"]),
      defaultTargets: defaultTargets, gguf: gguf?.architecture(read)
    ) { config, style, isHeadless, scope in
      try RotaryDecoder(try read(config), modelType: modelType, style: style, isHeadless: isHeadless, in: scope, block: block)
    }
  }
}
