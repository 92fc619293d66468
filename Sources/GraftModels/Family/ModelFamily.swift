import GraftBatching
import GraftCheckpoints
import GraftLayers

/// The facts of a family of models, in its own file: one value for each `model_type`.
///
/// Everything else that handles models reads them here: what a configuration may say, what a checkpoint calls its tensors, what it is for
/// by default, what methods adapt, and how llama.cpp knows it.
public struct ModelFamily: Sendable {
  /// The `model_type` of the family's configurations, such as `llama`.
  public let modelType: String
  /// The names of Transformers' classes; nil for a family that it does not have.
  public let classNames: ClassNames?
  /// The tasks that the family has heads for. The first is that of a checkpoint whose configuration names no class.
  public let tasks: [LearningTask]
  /// The attention style; nil for decoders, where a configuration chooses it.
  public let fixedStyle: AttentionStyle?
  /// The keys of its `config.json`.
  public let configuration: ConfigurationKeys
  /// The keys of the model's sizes.
  public let dimensions: DimensionKeys
  /// The names of its tensors in checkpoints.
  public let tensors: TensorNames
  /// The modules that methods adapt where nothing names them.
  public let defaultTargets: DefaultTargets
  /// The family in llama.cpp; nil where it has none.
  public let gguf: GGUFArchitecture?
  /// The family's differences from the rest in what is written and asked for.
  public let traits: Set<Trait>
  /// Makes a model for a request.
  let builder: Builder

  /// Makes a model for a request, whose task is one of the family's, in the root scope.
  public typealias Builder = @Sendable (ModelRequest, Scope) throws -> any Model

  /// Facts that hold for few families.
  public enum Trait: Sendable, Hashable {
    /// A masked language model may have the objective of the next sentence beside its own.
    case pairsSentences
    /// The family's tokenizer in Transformers tells the segments of a pair apart.
    case marksSegments
    /// Linear layers are Transformers' `Conv1D`, stored input by output.
    case storesInputByOutput
    /// `tie_word_embeddings` says more than that the head is tied: what is tied shows in the tensors' values.
    case tiesByValue
  }

  /// The names of Transformers' classes of a family.
  public struct ClassNames: Sendable, Hashable, ExpressibleByStringLiteral {
    /// The beginning of all of them, such as `Llama`.
    public let prefix: String
    /// The endings that are other than most families', by task.
    public let endings: [LearningTask: String]

    /// - Parameters:
    ///   - prefix: such as `Llama`.
    ///   - endings: those that are other than most families', by task.
    public init(_ prefix: String, _ endings: [LearningTask: String] = [:]) {
      self.prefix = prefix
      self.endings = endings
    }

    public init(stringLiteral prefix: String) { self.init(prefix) }
  }

  /// - Parameters:
  ///   - fixedStyle: the attention style of a family whose architecture says which tokens see which.
  ///   - build: makes a model for a request.
  public init(
    _ modelType: String, classNames: ClassNames?, tasks: [LearningTask], fixedStyle: AttentionStyle?, configuration: ConfigurationKeys,
    dimensions: DimensionKeys = .standard, tensors: TensorNames, defaultTargets: DefaultTargets = DefaultTargets(),
    gguf: GGUFArchitecture? = nil, traits: Set<Trait> = [], build: @escaping Builder
  ) {
    self.modelType = modelType
    self.classNames = classNames
    self.tasks = tasks
    self.fixedStyle = fixedStyle
    self.configuration = configuration
    self.dimensions = dimensions
    self.tensors = tensors
    self.defaultTargets = defaultTargets
    self.gguf = gguf
    self.traits = traits
    builder = build
  }

  /// The class of Transformers that has the family's model for a task, as `architectures` names it; nil where it has none.
  public func architecture(for task: LearningTask, pairsSentences: Bool = false) -> String? {
    guard let classNames, tasks.contains(task) else { return nil }
    let ending =
      switch task {
      case .causalLM, .preference: "ForCausalLM"
      case .seq2seqLM: "ForConditionalGeneration"
      case .maskedLM: pairsSentences ? "ForPreTraining" : "ForMaskedLM"
      case .sequenceClassification: "ForSequenceClassification"
      case .tokenClassification: "ForTokenClassification"
      }
    return classNames.prefix + (classNames.endings[task] ?? ending)
  }
}
