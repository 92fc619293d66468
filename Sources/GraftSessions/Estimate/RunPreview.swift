import GraftAdapters
import GraftBatching
import GraftDatasets
import GraftJSON
import GraftLayers
import GraftRecipes

/// A run before it is one: its recipe, data and model are read, but for weights, and nothing is written or trained.
public struct RunPreview {
  /// The run before its first step.
  public let plan: RunPlan
  /// Remarks for the user on the data.
  public let notes: [String]
  private let base: TrainableBase
  private let data: RunData

  /// - Parameter progress: told how far a large data file is encoded.
  /// - Throws: what is wrong with the recipe, its files or its model, as a run does.
  public init(_ recipe: Recipe, progress: PreparationProgress = { _, _ in }) throws {
    do { try self.init(of: recipe, progress) } catch { throw recipe.placed(error) }
  }

  private init(of recipe: Recipe, _ progress: PreparationProgress) throws {
    let settings = try RunSettings(recipe)
    let dataNotes = DataNotes()
    let split = try RecordSplit(ofRun: recipe, notes: dataNotes)
    let labels = try DataPreparation.labels(recipe, records: split.labelled)
    base = try TrainableBase(outlining: settings, labels: labels?.scheme)
    data = try RunData(
      settings, split, labels: labels?.scheme, tokenizer: try base.tokenizer(), on: base, notes: dataNotes, progress: progress)
    plan = try RunPlan(settings, for: try data.planned(isReported: split.isReported))
    notes = [labels?.note].compactMap { $0 } + dataNotes.all + data.notes(maxLength: recipe.data.maxLength)
  }

  /// Predicts what the run takes.
  ///
  /// - Parameter comparesAlternatives: true where changes that take less memory are estimated, too.
  /// - Throws: `TuningError` where the method does not fit the model, `MemoryError` where what is trained alone is more than there is.
  public func estimate(comparesAlternatives: Bool = true) throws -> RunEstimate {
    try plan.memory(of: base.method, on: base.model.catalog)?.require()
    return try RunEstimator(plan: plan, data: data, outline: base, isLoaded: false).estimate(comparesAlternatives: comparesAlternatives)
  }

  /// The resolved recipe, the modules that the method matches, and the first examples as training reads them.
  ///
  /// - Throws: `TuningError` where the method does not fit the model.
  public func text() throws -> String {
    let tokenizer = try base.tokenizer()
    let outline = try TrainableBase(outlining: plan.settings, labels: data.labels)
    let delta = try Delta(outline.method, on: outline.model.catalog, services: try outline.outlineServices())
    let modules = delta.modules
    let examples = try data.firstExamples(3).enumerated().map { index, example in
      "example \(index + 1): \(example.tokens.count) tokens, \(example.scoredTokenCount) of which carry loss\n"
        + (example.source.map { "  source: \(tokenizer.decode($0, skippingSpecialTokens: false))\n" } ?? "")
        + "  " + Self.marked(example) { tokenizer.decode($0, skippingSpecialTokens: false) }
    }
    return ([try plan.settings.recipe.rendered(), "\(modules.count) modules matched:"] + Self.lines(of: modules) + examples).joined(separator: "\n")
  }

  private static func lines(of modules: [ModuleReport]) -> [String] {
    modules.map { module in
      let shape = module.shape.map { " [\($0.map(String.init).joined(separator: ", "))]" } ?? ""
      return "  \(module.path)\(shape) \(module.parameterCount) values" + (module.rank.map { ", rank \($0)" } ?? "")
    }
  }

  /// The text of an example, with what carries loss in ⟦⟧.
  private static func marked(_ example: EncodedExample, decode: ([Int32]) -> String) -> String {
    var text = ""
    var start = 0
    while start < example.tokens.count {
      let isScored = example.isScored[start]
      let end = example.isScored[start...].firstIndex { $0 != isScored } ?? example.tokens.count
      let part = decode(Array(example.tokens[start..<end]))
      text += isScored ? "⟦\(part)⟧" : part
      start = end
    }
    return text
  }
}
