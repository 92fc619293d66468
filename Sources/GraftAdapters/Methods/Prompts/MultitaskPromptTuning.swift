import GraftConfiguration
import GraftLayers
import GraftTensors

/// Embeddings of virtual tokens that tasks share, each times its element of a task's own low-rank matrix: `P * (U V)`.
///
/// Wang et al. 2023, "Multitask prompt tuning enables parameter-efficient transfer learning". Of one task: examples do not say which is theirs.
public struct MultitaskPromptTuning: PromptMethod, SpelledKeys {
  public static let name = "MULTITASK_PROMPT_TUNING"
  public static let defaultLearningRate = 1e-2
  public static let card = MethodCard(
    title: "multitask prompt tuning", formula: "`P * (U V)` before the embedded tokens", parameters: "`V h + r (V + h)`",
    seam: "token embedding", source: "Wang et al. 2023")

  /// The initial values of the shared embeddings.
  package enum Initialization: String, ConfigChoice {
    /// The embeddings of the tokens of `prompt_tuning_init_text`.
    case text = "TEXT"
    /// The standard normal distribution.
    case random = "RANDOM"
  }

  public var promptKeys = PromptKeys()
  package var initialization = Initialization.random
  package var initializationText: String?
  package var initializationTask: Int? = 0
  package var tokenizerNameOrPath: String?
  package var tokenizerKwargs: ConfigTree?
  /// The rank of a task's matrix.
  package var numRanks = 1
  package var numTasks = 1

  public init() {}

  public static let keySpellings = [
    "initialization": "prompt_tuning_init", "initializationText": "prompt_tuning_init_text", "initializationTask": "prompt_tuning_init_task",
  ]

  public static var recipeDefaults: MultitaskPromptTuning {
    var method = MultitaskPromptTuning()
    method.numVirtualTokens = 20
    return method
  }

  public var isMergeable: Bool { false }

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    guard numTasks == 1 else { throw TuningError("num_tasks: is \(numTasks); only 1 is supported, since examples do not say which task is theirs") }
    guard numRanks > 0 else { throw TuningError("num_ranks: is \(numRanks); a rank is at least 1") }
    let shape = try PromptShape(numVirtualTokens, submodules: numTransformerSubmodules, in: sites)
    let normal = Initializer.normal(standardDeviation: 0.02)
    let columns = try attachment.root.parameter("prefix_task_cols", [1, shape.storedCount, numRanks], normal)
    let rows = try attachment.root.parameter("prefix_task_rows", [1, numRanks, shape.width], normal)
    let table = try attachment.root.parameter("prompt_embeddings", [shape.storedCount, shape.width], .normal(standardDeviation: 1))
    if !attachment.isLoading, initialization == .text {
      guard let text = initializationText else {
        throw TuningError("prompt_tuning_init_text: is missing; prompt_tuning_init TEXT starts from it")
      }
      let tokens = try shape.tokens(of: text, key: "prompt_tuning_init_text", attachment.services)
      table.assign(shape.embedding(Tensor(tokens), .inference))
    }
    let (count, rank) = (shape.storedCount, numRanks)
    try attachment.fill(
      shape.embedding,
      with: VirtualTokens(count: shape.count) { _ in
        let task = matrixProduct(columns.operand.reshaped(to: [count, rank]), rows.operand.reshaped(to: [rank, rows.shape[2]]))
        return table.operand * task
      })
    attachment.modulePrefix = "base_model"
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }
}
