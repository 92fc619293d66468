import GraftBatching
import GraftDatasets
import GraftLayers
import GraftRecipes
import GraftSessions
import GraftTraining

/// The cost of a method in what the base knew: the rise of its loss on texts that training never showed.
final class ForgettingCheck {
  private let base: any TrainableModel
  private let texts: EncodedDataset
  private let objective: BatchObjective
  private let precision: Recipe.PrecisionName
  private var baseLoss: Double?

  /// - Throws: `SessionError` where the base is no language model, and what reading the texts throws.
  init(_ paths: [String], base: TrainableBase, recipe: Recipe) throws {
    let task = recipe.task.ofModel
    guard let model = base.model as? any TrainableModel, base.model is any LanguageModel else {
      throw SessionError(.usage, "data.forgetting: only language models have a loss on texts; leave it out")
    }
    self.base = model
    precision = recipe.training.precision
    let records = try DataPreparation.records(of: paths)
    let encoder = try DataPreparation.encoder(
      try base.tokenizer(), for: base.model, task: task, maxLength: recipe.data.maxLength, completionOnlyLoss: false, cutsTextsIntoWindows: true)
    texts = try encoder.encodeDataset(records)
    try DataPreparation.check(texts.examples, of: records, for: base.model)
    objective = DataPreparation.objective(task, for: base.model)
  }

  /// Takes the loss of the base's model as it is now for that of the base.
  func measureBase() throws { baseLoss = try loss(of: base) }

  /// The loss of a model with what is attached, less that of the base, whose weights it has beside.
  func rise(of model: any Model) throws -> Double? {
    guard let baseLoss, let model = model as? any TrainableModel else { return nil }
    return try loss(of: model) - baseLoss
  }

  private func loss(of model: any TrainableModel) throws -> Double {
    try precision.run { try Evaluator.metrics(of: model, batches: texts.evaluationBatches(objective)).first?.value ?? .nan }
  }
}
