import GraftAdapters
import GraftBatching
import GraftLayers
import GraftOptimizers
import GraftRecipes
import GraftTraining

/// A run before its first step: its batches, steps and learning rates, and how its result is chosen.
///
/// A plan is a function of the settings and of what the data came to. It reads no file, holds no weight and takes no memory worth mentioning,
/// so that it can be shown, checked and weighed against the machine before anything is computed.
public struct RunPlan: Sendable {
  /// The recipe and its method.
  public let settings: RunSettings
  /// The number of examples to train on; of records, where these are encoded as training comes to them.
  public let exampleCount: Int
  /// The number of examples held out.
  public let evaluationCount: Int
  /// The micro-batches and steps of every epoch; nil where they become known as training comes to them.
  public let batches: BatchPlan?
  /// Optimizer steps.
  public let stepCount: Int
  /// The learning rate of every step.
  public let schedule: LearningRateSchedule
  /// The most tokens of a micro-batch in the first epoch, those of a source counted as well; in its first steps, where no more is known.
  public let largestBatch: Int
  /// True where the result is the best weights that an evaluation found rather than the last.
  public let keepsBest: Bool

  /// The part of the data that a plan depends on.
  public struct Data {
    /// The sizes of examples.
    public enum Examples: Sendable {
      /// Sizes of all examples: the room each takes in a packed row, and its tokens, those of a source counted as well.
      case known(packedLengths: [Int], tokenCounts: [Int])
      /// Sizes of examples that are encoded as training comes to them: the number of records, and the most tokens of one of the first micro-batches.
      case streamed(recordCount: Int, largestBatch: Int)
    }

    /// The examples to train on.
    public var train: Examples
    /// The number of examples held out.
    public var evaluationCount: Int
    /// True where there are examples by which weights may be chosen.
    public var hasSelection: Bool
    /// True where those held out are reported by a comparison, so that nothing may be chosen by them.
    public var isReported: Bool

    /// - Parameters:
    ///   - train: the examples to train on.
    ///   - evaluationCount: the number of examples held out.
    ///   - hasSelection: true where there are examples by which weights may be chosen.
    ///   - isReported: true where those held out are reported by a comparison.
    public init(_ train: Examples, evaluationCount: Int = 0, hasSelection: Bool = false, isReported: Bool = false) {
      self.train = train
      self.evaluationCount = evaluationCount
      self.hasSelection = hasSelection
      self.isReported = isReported
    }
  }

  /// - Throws: `SessionError` for more steps than can be counted, and where the best weights are asked for and nothing is there to choose by.
  public init(_ settings: RunSettings, for data: Data) throws {
    let recipe = settings.recipe
    let training = recipe.training
    self.settings = settings
    evaluationCount = data.evaluationCount
    let epochs = training.numEpochs ?? 1
    switch data.train {
    case .known(let packedLengths, let tokenCounts):
      let batches = settings.planner.plan(lengths: packedLengths)
      guard Double(batches.stepsPerEpoch) * epochs <= Double(Recipe.largestCount) else {
        throw SessionError(
          .usage,
          "training.num_epochs: \(epochs) epochs of \(batches.stepsPerEpoch) steps are more than \(Recipe.largestCount) steps; choose fewer")
      }
      (self.batches, exampleCount) = (batches, packedLengths.count)
      stepCount = training.maxSteps ?? batches.stepCount(epochs: epochs)
      largestBatch = batches.largestBatch(tokenCounts)
    case .streamed(let recordCount, let largestBatch):
      (batches, exampleCount, self.largestBatch) = (nil, recordCount, largestBatch)
      stepCount = training.maxSteps ?? 0
    }
    schedule = LearningRateSchedule(
      training.lrScheduler, peak: settings.learningRate, warmupSteps: training.warmupStepCount(of: stepCount), totalSteps: stepCount)
    keepsBest = try Self.keepsBest(recipe, stepCount: stepCount, data)
  }

  /// The search for the best weights at its beginning.
  public var selection: BestSelection {
    BestSelection(metric: settings.recipe.training.metricForBestModel, isGreaterBetter: settings.recipe.training.greaterIsBetter)
  }

  /// The state of the training before its first step.
  public var firstState: TrainingState { TrainingState(stepCount: stepCount, selection: selection) }

  /// The intervals of the training loop.
  public var loopSettings: TrainingLoop.Settings {
    let training = settings.recipe.training
    return TrainingLoop.Settings(
      stepCount: stepCount, evaluationInterval: training.evalSteps, checkpointInterval: training.saveSteps,
      patience: training.earlyStoppingPatience)
  }

  /// Returns the memory that the run takes at the least with a method; nil where that cannot say before it is attached.
  func memory(of method: any TuningMethod, on sites: SiteCatalog) -> MemoryEstimate? {
    let training = settings.recipe.training
    return method.expectedParameterCount(on: sites).map { parameters in
      MemoryEstimate(
        parameters: parameters, stateCount: training.updateRule.stateCount, stateFormat: training.optimizerState, on: sites,
        tokens: largestBatch, recomputation: training.gradientCheckpointing, precision: training.precision)
    }
  }

  private static func keepsBest(_ recipe: Recipe, stepCount: Int, _ data: Data) throws -> Bool {
    guard let wanted = recipe.training.loadBestModelAtEnd else {
      guard let every = recipe.training.evalSteps else { return false }
      return data.hasSelection && !data.isReported && every > 0 && every < stepCount
    }
    guard wanted else { return false }
    guard data.hasSelection else { throw RunSettings.nothingToChooseBy }
    guard !data.isReported else {
      throw SessionError(
        .usage,
        "training.load_best_model_at_end: data.eval is what the comparison reports; add data.eval_fraction, a share of the training examples to "
          + "choose by")
    }
    return true
  }
}

extension BatchPlan {
  /// The tokens of the largest micro-batch of the first epoch.
  fileprivate func largestBatch(_ tokenCounts: [Int]) -> Int {
    var largest = 0
    for step in steps(0..<stepsPerEpoch) {
      for batch in step.microBatches { largest = max(largest, batch.reduce(0) { $0 + tokenCounts[$1] }) }
    }
    return largest
  }
}
