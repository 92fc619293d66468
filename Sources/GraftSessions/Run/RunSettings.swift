import GraftAdapters
import GraftBatching
import GraftDatasets
import GraftRecipes
import GraftTensors
import GraftTraining

/// Everything that a recipe settles by itself: what is wrong with it is told before a file is read or a model is mapped.
public struct RunSettings: Sendable {
  /// The recipe.
  public let recipe: Recipe
  /// The method of its `method:` section.
  public let method: any TuningMethod
  /// The loss that it minimises.
  public let loss: TrainingLoss
  /// The loss of preferences; nil for another task.
  public let preference: PreferenceObjective?
  /// Remarks for the user on where models were found.
  let notes: [String]

  /// - Throws: `ConfigError` for a method, a key or a value that there is not, and `SessionError` for what this version does not have and for
  ///   settings that do not go together.
  public init(_ recipe: Recipe) throws {
    var recipe = recipe
    notes = try recipe.findModels()
    self.recipe = recipe
    method = try MethodCatalog.decode(recipe: recipe.method)
    if method is FullFineTuning, recipe.weightQuantization != nil { throw Self.nothingToFreeze }
    preference = try recipe.task == .preference ? PreferenceObjective(recipe.preference) : nil
    loss = try preference?.trainingLoss ?? TrainingLoss.named(recipe.training.loss)
    try FasterFactors.require(recipe.training, method: type(of: method).name)
    try FactorPreconditioning.require(recipe.training, method: type(of: method).name)
    if recipe.model.config != nil, recipe.model.tokenizer == nil, recipe.model.path == nil { throw Self.missingTokenizer }
    if recipe.training.loadBestModelAtEnd == true, recipe.data.eval == nil, recipe.data.evalFraction == nil { throw Self.nothingToChooseBy }
  }

  /// The highest learning rate of the run: the recipe's, or the method's own.
  public var learningRate: Double { recipe.training.learningRate ?? type(of: method).defaultLearningRate }

  /// The format of frozen weights in memory. What is trained starts from the checkpoint's own values.
  package var frozenFormat: ElementFormat { recipe.model.dtype.format ?? (method is FullFineTuning ? .float32 : recipe.frozenFormat) }

  /// The seed of everything that the run draws.
  var seed: UInt64 { UInt64(bitPattern: Int64(recipe.training.seed)) }

  /// The arrangement of examples into batches and steps.
  var planner: BatchPlanner {
    BatchPlanner(
      batchSize: recipe.training.batchSize, gradientAccumulationSteps: recipe.training.gradientAccumulationSteps,
      packing: recipe.data.packing ? recipe.data.maxLength : nil, shuffle: recipe.data.shuffle ? seed : nil)
  }

  /// The weights of files, of which a pattern's are those of every file that it matches.
  var mixture: Mixture? {
    get throws {
      guard let mixture = recipe.data.mixture else { return nil }
      var weights: [String: Double] = [:]
      for (path, weight) in mixture.weights {
        for file in try DataFile.expanded([path]) { weights[file] = weight }
      }
      return Mixture(weights: weights)
    }
  }

  /// Returns true where records are encoded as training comes to them: where that is asked for, or they are many and the number of steps is known.
  ///
  /// - Throws: `SessionError` where it is asked for and something needs all examples first.
  func streams(_ split: RecordSplit) throws -> Bool {
    let data = recipe.data
    let obstacle: String? =
      recipe.training.maxSteps == nil
      ? "training.max_steps, as the length of an epoch is not known"
      : data.mixture != nil
        ? "no weights in data.train"
        : preference != nil
          ? "another task, as preferences are compared with what is known before the first step"
          : data.nextSentence ? "no data.next_sentence" : split.heldWindowShare != nil ? "data.eval" : nil
    guard data.streaming == true else { return data.streaming == nil && split.train.isLarge && obstacle == nil }
    if let obstacle { throw SessionError(.usage, "data.streaming: needs \(obstacle); change that, or leave it out") }
    return true
  }

  static let missingTokenizer = SessionError(
    .usage, "model.tokenizer: missing; random weights need a checkpoint directory to take a tokenizer from")

  static let nothingToChooseBy = SessionError(
    .usage, "training.load_best_model_at_end: there are no held-out examples to choose by; add data.eval or data.eval_fraction")

  static let nothingToFreeze = SessionError(
    .usage, "model.quantization: FULL trains the weights that would be quantized; leave it out, or choose a method with weights of its own")
}
