import GraftConfiguration
import GraftLayers
import GraftTensors

/// Embeddings of virtual tokens before every sequence.
///
/// Lester et al. 2021, "The power of scale for parameter-efficient prompt tuning", section 2.
public struct PromptTuning: PromptMethod, SpelledKeys {
  public static let name = "PROMPT_TUNING"
  public static let defaultLearningRate = 1e-2
  public static let card = MethodCard(
    title: "prompt tuning", formula: "vectors before the embedded tokens", parameters: "`V h`",
    seam: "token embedding", source: "Lester et al. 2021")

  /// The initial values of the embeddings.
  public enum Initialization: String, ConfigChoice {
    /// The embeddings of the tokens of `prompt_tuning_init_text`.
    case text = "TEXT"
    /// The standard normal distribution.
    case random = "RANDOM"
    /// The embeddings of tokens picked at random.
    case sampleVocabulary = "SAMPLE_VOCAB"
  }

  public var promptKeys = PromptKeys()
  package var initialization = Initialization.random
  package var initializationText: String?
  package var tokenizerNameOrPath: String?
  package var tokenizerKwargs: ConfigTree?

  public init() {}

  public static let keySpellings = ["initialization": "prompt_tuning_init", "initializationText": "prompt_tuning_init_text"]

  public static var recipeDefaults: PromptTuning {
    var method = PromptTuning()
    method.numVirtualTokens = 20
    method.initialization = .sampleVocabulary
    return method
  }

  public var isMergeable: Bool { false }

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    let shape = try PromptShape(numVirtualTokens, submodules: numTransformerSubmodules, in: sites)
    let table = try attachment.root.parameter("prompt_embeddings", [shape.storedCount, shape.width], .normal(standardDeviation: 1))
    if !attachment.isLoading, let tokens = try initialTokens(shape, attachment) {
      table.assign(shape.embedding(Tensor(tokens), .inference))
    }
    try attachment.fill(shape.embedding, with: VirtualTokens(count: shape.count) { _ in table.operand })
    attachment.modulePrefix = "base_model"
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  private func initialTokens(_ shape: PromptShape, _ attachment: Attachment) throws -> [Int32]? {
    switch initialization {
    case .random: return nil
    case .sampleVocabulary:
      let stream = RandomStream(seed: attachment.seed).split("prompt_embeddings")
      return (0..<shape.storedCount).map { Int32(stream.unit(at: $0) * Float(shape.embedding.entries)) }
    case .text:
      guard let text = initializationText else {
        throw TuningError("prompt_tuning_init_text: is missing; prompt_tuning_init TEXT starts from it")
      }
      return try shape.tokens(of: text, key: "prompt_tuning_init_text", attachment.services)
    }
  }
}
