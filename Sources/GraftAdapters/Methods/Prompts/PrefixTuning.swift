import GraftBatching
import GraftConfiguration
import GraftLayers
import GraftTensors

/// Keys and values of virtual tokens before every sequence, in every layer; of an encoder-decoder, before the decoder's own.
///
/// Li and Liang 2021, "Prefix-tuning", section 4. Row `v` of the table holds, layer after layer (`PrefixLayout`), the keys and
/// then the values of virtual token `v`; keys are used as they are, without rotation.
public struct PrefixTuning: PromptMethod {
  public static let name = "PREFIX_TUNING"
  public static let defaultLearningRate = 5e-3
  public static let card = MethodCard(
    title: "prefix tuning", formula: "keys and values before those of the tokens", parameters: "`2 L V k`",
    seam: "attention of every layer, a decoder's where there are two halves", source: "Li and Liang 2021")

  /// The initial values of the keys and values, where they are not drawn.
  public enum Initialization: String, ConfigChoice {
    /// All 0.
    case zero
  }

  public var promptKeys = PromptKeys()
  /// True where a network makes the table from a smaller one while it is trained.
  package var prefixProjection = false
  /// The network's middle; the keys' width where nil.
  package var encoderHiddenSize: Int?
  /// The standard normal distribution where nil.
  package var initWeights: Initialization?
  /// A text whose own keys and values the prefix starts as: by far the best start.
  package var initText: String?

  public init() {}

  public static var recipeDefaults: PrefixTuning {
    var method = PrefixTuning()
    method.numVirtualTokens = 20
    method.initWeights = .zero
    return method
  }

  public var isMergeable: Bool { false }

  public func completed(for sites: SiteCatalog, holding stored: [String]?) -> PrefixTuning {
    // What does not fit the model is said when it is attached.
    guard let layout = try? PrefixLayout(self, in: sites) else { return self }
    var method = self
    layout.complete(&method, in: sites)
    return method
  }

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    let shape = try PromptShape(numVirtualTokens, submodules: 1, in: sites)
    let layout = try PrefixLayout(self, in: sites)
    let width = layout.width
    let columns = layout.columns
    let part: (Range<Int>) -> Tensor
    if prefixProjection && (!attachment.isLoading || attachment.sourceNames.contains("prompt_encoder.embedding.weight")) {
      part = try projection(shape, width: width, columns: columns, attachment)
    } else {
      let initial: Initializer = initWeights == .zero ? .zeros : .normal(standardDeviation: 1)
      let table = try attachment.root.parameter("prompt_embeddings", [shape.count, columns], initial)
      if !attachment.isLoading, let initText { table.assign(try layout.keysAndValues(of: initText, shape, attachment)) }
      part = { table.operand.columns($0) }
    }
    try layout.fill(with: part, count: shape.count, attachment)
    // An encoder's tokens stay where they are; a decoder over it asks its attention.
    if !sites.hasTwoHalves { try attachment.fill(shape.embedding, with: VirtualPlaces(count: shape.count)) }
    attachment.modulePrefix = "base_model"
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  /// The network over a smaller table, of which each layer computes its own columns.
  private func projection(
    _ shape: PromptShape, width: Int, columns: Int, _ attachment: Attachment
  ) throws -> (Range<Int>) -> Tensor {
    guard initText == nil else { throw TuningError("init_text: cannot be combined with prefix_projection") }
    let scope = attachment.root / "prompt_encoder"
    let hidden = encoderHiddenSize ?? width
    let table = try (scope / "embedding").parameter("weight", [shape.count, width], .normal(standardDeviation: 1))
    let inner = try PromptLayer(scope / "transform" / 0, in: width, out: hidden)
    let outer = try PromptLayer(scope / "transform" / 2, in: hidden, out: columns, startsAtZero: initWeights == .zero)
    let part: (Range<Int>) -> Tensor = { outer(activate(inner(table.operand), .tanh), outputs: $0) }
    try attachment.store({ part(0..<columns) }, as: "prompt_embeddings", insteadOf: scope.path, shape: [shape.count, columns])
    return part
  }
}
