import GraftBatching
import GraftConfiguration
import GraftLayers
import GraftTensors

/// The families we build, by the `model_type` of their configurations.
public enum ModelRegistry {
  /// How a decoder is built from its configuration in a scope, with its head or without; classifiers are made of its
  /// hidden states.
  public typealias DecoderBuilder = @Sendable (ArchitectureConfiguration, AttentionStyle, _ isHeadless: Bool, Scope) throws -> any CausalLanguageModel
  /// How any other family is built for a task.
  public typealias Builder = @Sendable (ModelRequest, Scope) throws -> any Model

  /// One line a family.
  static let decoders: [String: DecoderBuilder] = [
    "gpt2": { try GPT2($0, style: $1, isHeadless: $2, in: $3) },
    "llama": { try Llama($0, modelType: "llama", style: $1, isHeadless: $2, in: $3) },
    "mistral": { try Llama($0, modelType: "mistral", style: $1, isHeadless: $2, in: $3) },
    "qwen2": { try Llama($0, modelType: "qwen2", style: $1, isHeadless: $2, in: $3) },
    "qwen3": { try Llama($0, modelType: "qwen3", style: $1, isHeadless: $2, in: $3) },
  ]

  /// One line a family.
  static let others: [String: Builder] = [
    "bart": { try Bart($0, in: $1) },
    "bert": { try Bert.build($0, in: $1) },
    "distilbert": { try DistilBert.build($0, in: $1) },
    "mt5": { try T5($0, modelType: "mt5", in: $1) },
    "roberta": { try Roberta.build($0, in: $1) },
    "t5": { try T5($0, modelType: "t5", in: $1) },
    "transformer": { try Transformer($0, in: $1) },
  ]

  /// Those of `others` whose decoders are causal and whose encoders see both ways.
  private static let encoderDecoders: Set<String> = ["bart", "mt5", "t5", "transformer"]

  public static var knownTypes: [String] { (Array(decoders.keys) + Array(others.keys)).sorted() }

  /// Builds the model that a configuration describes, for a task.
  ///
  /// - Parameters:
  ///   - labels: how many labels a classifier tells apart; the configuration's where nil.
  ///   - problem: what its labels are; the configuration's where nil.
  ///   - style: which tokens of a decoder see which; the configuration's where nil.
  ///   - isHeadless: whether hidden states are all that is wanted of a decoder or an encoder.
  ///   - pairsSentences: whether a masked language model is to tell pairs of sentences apart, too.
  /// - Throws: `ArchitectureError` for a `model_type` that is missing or not one of `knownTypes`, or one that cannot do
  ///   the task, and what the family throws.
  public static func build(
    _ config: ArchitectureConfiguration, task: LearningTask = .causalLM, labels: Int? = nil, problem: ClassificationProblem? = nil,
    style: AttentionStyle? = nil, isHeadless: Bool = false, pairsSentences: Bool = false, in scope: Scope
  ) throws -> any Model {
    let type = try config.string("model_type")
    let config = try config.resolved(as: type)
    scope.catalog.modelType = type
    let request = ModelRequest(
      config, task: task, labels: labels, problem: problem, style: style, isHeadless: isHeadless, pairsSentences: pairsSentences)
    if pairsSentences, type != "bert" || task != .maskedLM {
      throw config.fail("model_type", "unsupported next_sentence for \(type) and \(task.rawValue); it is an objective of bert beside masked_lm")
    }
    if let builder = decoders[type] { return try decoder(type, request, in: scope, builder) }
    if let builder = others[type] {
      try request.requireStyle(encoderDecoders.contains(type) ? .causal : .bidirectional, type)
      return try builder(request, scope)
    }
    let advice =
      NearestName.of(type, among: knownTypes).map { "did you mean \($0)?" } ?? "known are \(knownTypes.joined(separator: ", "))"
    throw config.fail("model_type", "unsupported model_type \"\(type)\"; \(advice)")
  }

  /// A decoder as it is, or under a classifier in place of its own head.
  private static func decoder(
    _ type: String, _ request: ModelRequest, in scope: Scope, _ build: DecoderBuilder
  ) throws -> any Model {
    let config = request.config
    let style = try request.decoderStyle()
    let initializer = Initializer.normal(standardDeviation: try config.deviation("initializer_range"))
    func output(_ name: String, _ model: any Model, bias: Bool) throws -> Linear {
      try Linear(
        scope / name, in: model.hiddenSize, out: try request.labelCount(), bias: bias, role: .classifier, initializer: initializer,
        fallsBack: true)
    }
    if request.isHeadless { return try build(config, style, true, scope) }
    switch request.task {
    case .causalLM: return try build(config, style, false, scope)
    case .sequenceClassification:
      let model = try build(config, style, true, scope)
      let head = ClassificationHead(output: try output("score", model, bias: false))
      return TextClassifier(decoder: model, head: head, problem: try request.problem(), paddingID: try config.optionalInt("pad_token_id"))
    case .tokenClassification:
      let model = try build(config, style, true, scope)
      let key = ["classifier_dropout", "hidden_dropout"].first(where: config.contains)
      let dropout = try key.map(config.probability) ?? 0.1
      let head = ClassificationHead(output: try output(type == "gpt2" ? "classifier" : "score", model, bias: true), dropout: dropout)
      return TokenLabeler(model, head: head)
    case .maskedLM, .seq2seqLM:
      throw request.unsupportedTask(type, supported: [.causalLM, .sequenceClassification, .tokenClassification])
    }
  }

  /// The class of Transformers that has a family's model for a task, as `architectures` names it; nil where it has none.
  public static func architectureName(_ type: String, task: LearningTask, pairsSentences: Bool = false) -> String? {
    let names = [
      "bart": "Bart", "bert": "Bert", "distilbert": "DistilBert", "gpt2": "GPT2", "llama": "Llama", "mistral": "Mistral", "mt5": "MT5",
      "qwen2": "Qwen2", "qwen3": "Qwen3", "roberta": "Roberta", "t5": "T5",
    ]
    let ending =
      switch task {
      case .causalLM: type == "gpt2" ? "LMHeadModel" : "ForCausalLM"
      case .seq2seqLM: "ForConditionalGeneration"
      case .maskedLM: pairsSentences ? "ForPreTraining" : "ForMaskedLM"
      case .sequenceClassification: "ForSequenceClassification"
      case .tokenClassification: "ForTokenClassification"
      }
    return names[type].map { $0 + ending }
  }

  /// The prefixes under which checkpoints with a head keep the base model, and which those without one leave out.
  private static let basePrefixes = ["model.", "transformer.", "bert.", "roberta.", "distilbert."]

  /// The other names under which a checkpoint may hold a path: without the base model's prefix, with the names that
  /// TensorFlow gave the weights of a norm, or in an embedding that shares the tensor.
  public static func aliases(of path: String) -> [String] {
    var names: [String] = []
    if let prefix = basePrefixes.first(where: path.hasPrefix) {
      names.append(String(path.dropFirst(prefix.count)))
    } else {
      names.append("model." + path)
    }
    for (new, old) in [("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")] where path.hasSuffix(new) {
      names += ([path] + names).map { $0.dropLast(new.count) + old }
    }
    if path.hasSuffix("shared.weight") {
      names += ([path] + names).map { $0.dropLast("shared.weight".count) + "encoder.embed_tokens.weight" }
    }
    return names
  }
}
