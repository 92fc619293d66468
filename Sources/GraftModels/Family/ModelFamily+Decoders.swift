import GraftBatching
import GraftCheckpoints
import GraftLayers

extension ModelFamily {
  /// Makes a decoder from a resolved configuration in the root scope, with its head or without.
  public typealias DecoderBuilder = @Sendable (ArchitectureConfiguration, AttentionStyle, _ isHeadless: Bool, Scope) throws -> any CausalLanguageModel

  /// A family of decoders. Its classifiers are made of the hidden states, as Transformers makes those of all decoders.
  ///
  /// - Parameters:
  ///   - fixedStyle: the attention style of a family whose architecture says which tokens see which.
  ///   - tokenClassifier: the name of the layer that labels tokens; `score` labels texts.
  ///   - build: makes the decoder.
  public static func decoder(
    _ modelType: String, classNames: ClassNames?, tasks: [LearningTask] = [.causalLM, .sequenceClassification, .tokenClassification],
    fixedStyle: AttentionStyle? = nil, configuration: ConfigurationKeys, dimensions: DimensionKeys = .standard, tensors: TensorNames,
    defaultTargets: DefaultTargets = DefaultTargets(), gguf: GGUFArchitecture? = nil, traits: Set<Trait> = [], tokenClassifier: String = "score",
    build: @escaping DecoderBuilder
  ) -> ModelFamily {
    ModelFamily(
      modelType, classNames: classNames, tasks: tasks, fixedStyle: fixedStyle, configuration: configuration, dimensions: dimensions, tensors: tensors,
      defaultTargets: defaultTargets, gguf: gguf, traits: traits
    ) { request, scope in
      let style = try request.decoderStyle()
      func decoder(isHeadless: Bool) throws -> any CausalLanguageModel { try build(request.config, style, isHeadless, scope) }
      if request.isHeadless { return try decoder(isHeadless: true) }
      switch request.task {
      case .sequenceClassification:
        let model = try decoder(isHeadless: true)
        return try textClassifier(of: model, request, in: scope / "score")
      case .tokenClassification:
        let model = try decoder(isHeadless: true)
        return try tokenLabeler(of: model, request, in: scope / tokenClassifier)
      case .causalLM, .maskedLM, .seq2seqLM, .preference:
        return try decoder(isHeadless: false)
      }
    }
  }

  private static func textClassifier(of model: any CausalLanguageModel, _ request: ModelRequest, in scope: Scope) throws -> any Model {
    let head = ClassificationHead(output: try output(of: model, request, bias: false, in: scope))
    let padding = try request.config.optionalInt("pad_token_id")
    return TextClassifier(decoder: model, head: head, problem: try request.problem(), paddingID: padding)
  }

  private static func tokenLabeler(of model: any CausalLanguageModel, _ request: ModelRequest, in scope: Scope) throws -> any Model {
    let key = ["classifier_dropout", "hidden_dropout"].first(where: request.config.contains)
    let dropout = try key.map(request.config.probability) ?? 0.1
    return TokenLabeler(model, head: ClassificationHead(output: try output(of: model, request, bias: true, in: scope), dropout: dropout))
  }

  private static func output(of model: any Model, _ request: ModelRequest, bias: Bool, in scope: Scope) throws -> Linear {
    let initializer = Initializer.normal(standardDeviation: try request.config.deviation("initializer_range"))
    return try Linear(
      scope, in: model.hiddenSize, out: try request.labelCount(), bias: bias, role: .classifier, initializer: initializer, fallsBack: true)
  }
}
