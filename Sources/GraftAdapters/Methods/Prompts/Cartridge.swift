import GraftConfiguration
import GraftLayers
import GraftTensors

/// Keys and values of virtual tokens before every sequence that stand for a long text, whose first ones stay as they start.
///
/// Eyuboglu et al. 2025, "Cartridges: lightweight and general-purpose long context representations via self-study". The table is that of prefix
/// tuning; the first tokens draw attention whatever they say, and training is steadier where they are left alone.
public struct Cartridge: PromptMethod {
  public static let name = "CARTRIDGE"
  public static let defaultLearningRate = 2e-2
  public static let card = MethodCard(
    title: "cartridge", formula: "keys and values before those of the tokens, the first ones frozen",
    parameters: "`2 L V k`, the frozen ones among them",
    seam: "attention of every layer", source: "Eyuboglu et al. 2025")

  public var promptKeys = PromptKeys()
  /// The first virtual tokens, whose keys and values are not trained.
  package var numFrozenTokens = 1
  /// A text whose own keys and values the prefix starts as.
  package var initText: String?

  public init() {}

  public static var recipeDefaults: Cartridge {
    var method = Cartridge()
    method.numVirtualTokens = 20
    return method
  }

  public var isMergeable: Bool { false }

  public func completed(for sites: SiteCatalog, holding stored: [String]?) -> Cartridge {
    // What does not fit the model is said when it is attached.
    guard let layout = try? PrefixLayout(self, in: sites) else { return self }
    var method = self
    layout.complete(&method, in: sites)
    return method
  }

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    let shape = try PromptShape(numVirtualTokens, submodules: 1, in: sites)
    let layout = try PrefixLayout(self, in: sites)
    guard !sites.hasTwoHalves else { throw TuningError("CARTRIDGE: \(sites.modelType ?? "this model") has an encoder; take PREFIX_TUNING") }
    guard (0..<shape.count).contains(numFrozenTokens) else {
      throw TuningError("num_frozen_tokens: is \(numFrozenTokens); it must be at least 0 and below num_virtual_tokens, which is \(shape.count)")
    }
    let table = try attachment.root.parameter("prompt_embeddings", [shape.count, layout.columns], .normal(standardDeviation: 1))
    if !attachment.isLoading, let initText { table.assign(try layout.keysAndValues(of: initText, shape, attachment)) }
    let frozen = numFrozenTokens
    let whole: () -> Tensor = {
      guard frozen > 0 else { return table.operand }
      return concatenateRows([table.value.rows(0..<frozen), table.operand.rows(frozen..<table.shape[0])])
    }
    try layout.fill(with: { whole().columns($0) }, count: shape.count, attachment)
    try attachment.fill(shape.embedding, with: VirtualPlaces(count: shape.count))
    if frozen > 0 { attachment.schedule = FrozenRows(table, count: frozen) }
    attachment.modulePrefix = "base_model"
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }
}

/// Keeps the first rows of a table as they are, whatever an update rule does to what has no gradient.
private final class FrozenRows: TrainingSchedule {
  private let table: Parameter
  private let count: Int
  private var rows: Tensor?

  init(_ table: Parameter, count: Int) { (self.table, self.count) = (table, count) }

  func prepare(stepCount: Int) { rows = Tensor(table.value.rows(0..<count).values, [count, table.shape[1]]) }

  func updated(step: Int, gradients: Gradients, gradientScale: Float) {
    guard let rows else { return }
    table.assign(concatenateRows([rows, table.value.rows(count..<table.shape[0])]))
  }
}
