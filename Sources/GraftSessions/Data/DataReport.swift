import Foundation
import GraftBatching
import GraftDatasets
import GraftLayers
import GraftModels
import GraftRecipes
import GraftTokenizers

/// A look at the data of a recipe before it is trained on, without a weight being read.
public struct DataReport: Sendable {
  /// The figures and findings.
  public let review: DataReview
  /// The model directory, or the `model_type` of random weights.
  public let modelName: String
  /// The task that the examples are for.
  public let task: LearningTask
  /// True where examples share rows, so that short ones cost no padding and long texts become several.
  public let isPacked: Bool
  /// Remarks on what was inferred or changed.
  public let notes: [String]
  /// Some examples as training sees them, those held out last.
  public let examples: [RenderedExample]

  /// Reads the data of a recipe, of a comparison's too, with its model's tokenizer and chat template.
  ///
  /// - Parameter shownCount: the number of examples to show of each part.
  /// - Throws: what is wrong with the recipe, the tokenizer, or a file as a whole; what is wrong with records is in the review.
  public init(_ recipe: Recipe, shownCount: Int = 3) throws {
    do { try self.init(RunSettings(recipe), shownCount: shownCount) } catch { throw recipe.placed(error) }
  }

  private init(_ settings: RunSettings, shownCount: Int) throws {
    var recipe = settings.recipe
    // Records that are read one by one can be refused one by one.
    recipe.data.streaming = true
    let dataNotes = DataNotes()
    let split =
      try recipe.methods == nil
      ? RecordSplit(ofRun: recipe, notes: dataNotes)
      : RecordSplit(ofComparison: recipe, seed: recipe.seeds?.first ?? Recipe.defaultSeeds[0], notes: dataNotes)
    try TrainableBase.requireTask(of: recipe)
    let (labels, refused) = try Self.labels(recipe, split)
    let model = try Self.outline(of: recipe, labels: labels?.scheme)
    let tokenizer = try Self.tokenizer(of: recipe)
    var encoder = try DataPreparation.encoder(settings, tokenizer, for: model, labels: labels?.scheme, notes: dataNotes)
    encoder.requiresLabels = refused.isEmpty
    var reviewer = DataReviewer(encoder, shownCount: shownCount) { example, record in
      try DataPreparation.check(example, at: record.isDocument ? record.file : "\(record.file):\(record.line)", for: model)
    }
    review = reviewer.review(train: split.train, held: split.held, refused: refused)
    modelName = recipe.model.path ?? model.modelType
    (task, isPacked) = (recipe.task, recipe.data.packing)
    notes = settings.notes + [labels?.note].compactMap { $0 } + dataNotes.all
    examples = (review.train.shown + (review.held?.shown ?? [])).map { RenderedExample($0, tokenizer) }
  }

  /// The labels of a classification, of the records that have some; none where these contradict each other, which is an error.
  private static func labels(_ recipe: Recipe, _ split: RecordSplit) throws -> (DecidedLabels?, refused: [DatasetError]) {
    guard recipe.task == .sequenceClassification || recipe.task == .tokenClassification else { return (nil, []) }
    let records = split.labelled.labelled(isPerToken: recipe.task == .tokenClassification)
    guard !records.isEmpty else { return (nil, []) }
    do { return (try DataPreparation.labels(recipe, records: records), []) } catch let error as DatasetError { return (nil, [error]) }
  }

  /// The model without weights, which says what its examples must be like.
  private static func outline(of recipe: Recipe, labels: LabelScheme?) throws -> any Model {
    let source = recipe.model.path.map { "\($0)/config.json" } ?? "model.config"
    var configuration = try TrainableBase.configuration(of: recipe)
    if let size = try recipe.tokenizerDirectory.flatMap({ try NewTokens(recipe.model.newTokens, directory: $0) })?.vocabularySize {
      configuration["vocab_size"] = .integer(max(size, configuration["vocab_size"]?.int ?? 0))
    }
    let request = ModelRequest(
      ArchitectureConfiguration(configuration, source: source), task: recipe.task, labels: labels?.names.count, problem: labels?.problem,
      style: recipe.model.attention, pairsSentences: recipe.data.nextSentence)
    return try ModelFamily.build(request, in: Scope(outlining: SiteCatalog()))
  }

  private static func tokenizer(of recipe: Recipe) throws -> Tokenizer {
    guard let directory = recipe.tokenizerDirectory else { throw RunSettings.missingTokenizer }
    return try NewTokens(recipe.model.newTokens, directory: directory)?.extended.tokenizer
      ?? Tokenizer(directory: URL(fileURLWithPath: directory, isDirectory: true))
  }
}

extension Recipe {
  /// The directory of the model's tokenizer; nil where the recipe names none.
  fileprivate var tokenizerDirectory: String? { model.tokenizer ?? model.path }
}
