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
  private let rehearsal: RunRehearsal
  private let data: RunData
  private let resident: Double

  /// - Parameter progress: told how far records are encoded.
  /// - Throws: what is wrong with the recipe, its files or its model, as a run does, and `MemoryError` for weights that no memory holds.
  public init(_ recipe: Recipe, progress: ProgressHandler = { _ in }) throws {
    let settings = try RunSettings(recipe)
    let dataNotes = DataNotes()
    let split = try RecordSplit(ofRun: recipe, notes: dataNotes)
    let labels = try DataPreparation.labels(recipe, records: split.labelled)
    rehearsal = try RunRehearsal(settings, labels: labels?.scheme)
    let base = rehearsal.base
    data = try RunData(settings, split, labels: labels?.scheme, tokenizer: try base.tokenizer(), on: base, notes: dataNotes, progress: progress)
    plan = try RunPlan(settings, for: try data.planned(isReported: split.isReported))
    resident = Double(ProcessMemory.residentBytes)
    notes = [labels?.note].compactMap { $0 } + dataNotes.all + data.notes(maxLength: recipe.data.maxLength)
  }

  /// Predicts what the run takes, and what it would take with less memory.
  ///
  /// - Throws: `TuningError` where the method does not fit the model.
  public func estimate() throws -> RunEstimate {
    try RunEstimator(plan: plan, data: data, resident: resident).estimate(RunRehearsal(plan.settings, labels: data.labels), for: .showing)
  }

  /// The resolved recipe, the modules that the method matches, and the first examples as training reads them.
  ///
  /// - Throws: `TuningError` where the method does not fit the model.
  public func text() throws -> String {
    let tokenizer = try rehearsal.base.tokenizer()
    let modules = try rehearsal.attached().modules
    let examples = try data.firstExamples(3).enumerated().map { index, example in
      "example \(index + 1): \(example.tokens.count) tokens, \(example.scoredTokenCount) of which carry loss\n"
        + (example.source.map { "  source: \(tokenizer.decode($0, skippingSpecialTokens: false))\n" } ?? "")
        + (example.label.map { "  label: \(name(of: $0))\n" } ?? "")
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

  /// The label of a whole example, as it is shown.
  private func name(of label: ExampleLabel) -> String {
    func name(_ index: Int) -> String { data.labels.map { $0.names[index] } ?? "\(index)" }
    return switch label {
    case .class(let index): name(index)
    case .classes(let indices): indices.sorted().map(name).joined(separator: ", ")
    case .value(let value): "\(value)"
    case .values(let values): values.map { "\($0)" }.joined(separator: ", ")
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
