import GraftBatching
import GraftCheckpoints
import GraftLayers

/// Decoders whose positions are rotations of queries and keys, under the names that Llama gave their modules.
public enum RotaryDecoder {
  /// A family of rotary decoders.
  ///
  /// - Parameters:
  ///   - gguf: the family in llama.cpp; nil where it has none.
  ///   - renamedModules: the names of modules in Transformers, by those in checkpoints, where they are not the same.
  ///   - read: reads a resolved configuration.
  ///   - block: makes a block of its layers.
  public static func family(
    _ modelType: String, classNames: ModelFamily.ClassNames,
    tasks: [LearningTask] = [.causalLM, .sequenceClassification, .tokenClassification], configuration: ConfigurationKeys,
    defaultTargets: DefaultTargets = DefaultTargets(), gguf: GGUFForm? = nil, renamedModules: [String: String] = [:],
    read: @escaping @Sendable (ArchitectureConfiguration) throws -> Configuration = { try Configuration($0) },
    block: @escaping @Sendable (BlockLayers) throws -> TransformerBlock
  ) -> ModelFamily {
    .decoder(
      modelType, classNames: classNames, tasks: tasks, configuration: configuration,
      tensors: TensorNames(
        base: "model", vocabulary: ["embed_tokens.weight", "lm_head.weight"], classifiers: ["score"], renamedModules: renamedModules),
      defaultTargets: defaultTargets, gguf: gguf?.architecture(read)
    ) { config, style, isHeadless, scope in
      let parts = try parts(try read(config), config, isHeadless: isHeadless, in: scope, block: block)
      return CausalDecoder(modelType, parts, style: style, catalog: scope.catalog)
    }
  }

  /// The parts of a model.
  /// - Parameters:
  ///   - isHeadless: true where hidden states are all that is wanted: no head is asked for.
  ///   - block: makes a block of its layers.
  /// - Throws: `WeightError` and what the source throws.
  private static func parts(
    _ c: Configuration, _ config: ArchitectureConfiguration, isHeadless: Bool, in scope: Scope, block: (BlockLayers) throws -> TransformerBlock
  ) throws -> CausalDecoder.Parts {
    let model = scope / "model"
    let tying = Tying(of: scope / "lm_head", to: model / "embed_tokens", isOn: c.tiesHead)
    let embedding = try Embedding(
      model / "embed_tokens", entries: c.vocabularySize, width: c.hiddenSize, role: .tokenEmbedding, padding: c.padding,
      initializer: c.initializer)
    let blocks = try (0..<c.layers).map { layer in
      try block(BlockLayers(scope: model / "layers" / layer, layer: layer, configuration: c, config: config))
    }
    let norm = try Norm(model / "norm", width: c.hiddenSize, epsilon: c.epsilon, kind: .rms(offset: c.normOffset))
    let head = try tying.head(over: embedding, isHeadless: isHeadless, c.initializer, scale: c.headScale, softcap: c.logitSoftcap)
    var parts = CausalDecoder.Parts(embedding: embedding, positions: .rotary(c.rotary), blocks: blocks, norm: norm, head: head)
    parts.routerLosses = try config.routerLosses()
    parts.embeddingScale = c.embeddingScale
    parts.embeddingDropout = c.embeddingDropout
    return parts
  }
}
