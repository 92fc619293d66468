import Foundation
import GraftAdapters
import GraftBatching
import GraftCheckpoints
import GraftConfiguration
import GraftDatasets
import GraftJSON
import GraftLayers
import GraftModels
import GraftOptimizers
import GraftRecipes
import GraftTensors
import GraftTokenizers
import GraftTraining

/// What a run tells while it goes on.
public enum RunEvent: Sendable {
  /// The model and the data are ready.
  case started(RunOverview)
  case training(TrainingEvent)
  /// The figures of an evaluation, by name, and the step.
  case evaluated(step: Int, [(name: String, value: Double)])
  /// A held-out prompt answered.
  case answered(AnsweredPrompt, isBefore: Bool)
  /// What the user should know.
  case note(String)
  case saved(path: String)
}

/// What a run is about to do.
public struct RunOverview: Sendable {
  public var modelName: String
  public var methodName: String
  public var trainableParameters: Int
  public var totalParameters: Int
  public var exampleCount: Int
  public var evaluationCount: Int
  public var stepCount: Int
  public var firstStep: Int
}

/// A held-out prompt with what was expected and what came.
public struct AnsweredPrompt: Sendable, Equatable {
  public var prompt: String
  public var expected: String
  public var answer: String

  public init(prompt: String, expected: String, answer: String) {
    self.prompt = prompt
    self.expected = expected
    self.answer = answer
  }
}

/// A recipe being run: the assembly of model, method, data and trainer, and the files that come of it.
public final class TrainingRun {
  package let recipe: Recipe
  let output: String
  let base: TrainableBase
  let tokenizer: Tokenizer
  package let delta: Delta
  package let model: any TrainableModel
  package let objective: BatchObjective
  /// A classifier's labels.
  let labels: LabelScheme?
  private let labelNote: String?
  let crossEntropy: CrossEntropyOptions
  package let train: EncodedDataset, evaluation: EncodedDataset?
  private let encoder: ExampleEncoder, format: DataFormat
  /// What is to be said of the data.
  private let dataNotes: DataNotes
  package let answers: AnswerCheck?
  /// What is evaluated between steps, by which training is stopped and the best weights are chosen: what is held out, unless a comparison
  /// reports on that.
  let selection: EncodedDataset?
  let selectionAnswers: AnswerCheck?
  /// Whether the result is the best weights that an evaluation found rather than the last.
  let selectsBest: Bool
  let plan: BatchPlan
  let optimizer: Optimizer
  let schedule: LearningRateSchedule
  let stepCount: Int
  /// What makes this run itself.
  let identity: RunIdentity
  /// Where the run has come to: at its beginning, or at the checkpoint that it goes on from.
  private(set) var state = RunState()
  /// What was logged before a run that goes on was interrupted.
  package private(set) var earlierMetrics: [JSON] = []
  /// The summary of a run that was to go on and has nothing left to do.
  private(set) var finishedSummary: JSON?
  /// What the user should know of how the run begins.
  private(set) var openingNotes: [String] = []
  /// The sole right to the run directory, until the run has ended.
  var claim: OutputClaim?

  /// Prepares a run: everything that can be wrong with a recipe is found here.
  ///
  /// - Parameters:
  ///   - output: the run directory.
  ///   - use: what to do where it holds a run already.
  /// - Throws: `ConfigError`, `DatasetError`, `CheckpointError` and their like.
  public convenience init(_ recipe: Recipe, output: String, use: UsedOutput = .refused) throws {
    let output = output.trimmingTrailingSlashes
    try self.init(recipe, output: output, claim: try OutputClaim(output, files: .ofRun, use: use), isResuming: use == .resumed)
  }

  /// - Parameters:
  ///   - claim: the right to the run directory; nil for a run that only evaluates.
  ///   - isResuming: whether to go on from the newest checkpoint in it.
  ///   - shared: a base that is in memory already; its method is the recipe's all the same.
  ///   - split: the records to train on and those held out, where the recipe's own files do not decide.
  ///   - notes: where to say what is to be said of the data.
  package init(
    _ recipe: Recipe, output: String, claim: OutputClaim?, isResuming: Bool = false, sharing shared: TrainableBase? = nil,
    split given: RecordSplit? = nil, notes: DataNotes = DataNotes()
  ) throws {
    self.recipe = recipe
    dataNotes = notes
    self.output = output
    self.claim = claim
    try Self.requireSupport(for: recipe)
    let records =
      try given.map { $0.train + $0.held + ($0.selection ?? []) }
      ?? DataPreparation.records(of: recipe.data.train?.paths ?? [], layout: recipe.data.layout, notes: dataNotes)
    let decided = try DataPreparation.labels(recipe, records: records)
    (labels, labelNote) = (decided?.scheme, decided?.note)
    crossEntropy = try recipe.crossEntropy(for: labels)
    base = try shared?.adapted(to: recipe) ?? TrainableBase(recipe, labels: labels)
    tokenizer = try base.makeTokenizer()
    guard let model = base.model as? any TrainableModel else {
      throw SessionError(.usage, "task: \(recipe.task.rawValue) is not supported for \(base.model.modelType)")
    }
    self.model = model
    objective = DataPreparation.objective(recipe.task, for: model)
    encoder = try DataPreparation.encoder(
      tokenizer, for: model, task: recipe.task, format: recipe.data.objective == .spanCorruption ? .text : recipe.data.format,
      maxLength: recipe.data.maxLength,
      completionOnlyLoss: recipe.data.completionOnlyLoss, cutsTextsIntoWindows: recipe.data.packing, labels: labels,
      maskingSeed: UInt64(bitPattern: Int64(recipe.training.seed)), corruption: recipe.data.corruption, pairsSentences: recipe.data.nextSentence,
      roles: recipe.data.roles,
      notes: dataNotes)
    var trainRecords = records
    var heldRecords: [DataRecord] = []
    let seed = UInt64(bitPattern: Int64(recipe.training.seed))
    // A document is cut into windows first, which are what is held out.
    let splitsWindows = given == nil && recipe.data.evalFraction != nil && records.allSatisfy(\.isDocument)
    if let given {
      (trainRecords, heldRecords) = (given.train, given.held)
    } else if let eval = recipe.data.eval {
      heldRecords = try DataPreparation.records(of: eval.paths, layout: recipe.data.layout, notes: dataNotes)
    } else if let fraction = recipe.data.evalFraction, !splitsWindows {
      let split = try SeededSplit.indices(count: records.count, fraction: fraction, seed: seed)
      trainRecords = split.train.map { records[$0] }
      heldRecords = split.held.map { records[$0] }
    }
    guard !trainRecords.isEmpty else {
      throw SessionError(.data, "data.train: \((recipe.data.train?.paths ?? []).joined(separator: ", ")) holds no records; add at least one")
    }
    var trainData = try encoder.encodeDataset(trainRecords)
    var heldData = heldRecords.isEmpty ? nil : try encoder.encodeDataset(heldRecords)
    if let fraction = recipe.data.evalFraction, splitsWindows {
      let whole = trainData
      let split = try SeededSplit.indices(count: whole.examples.count, fraction: fraction, seed: seed)
      trainData = whole.choosing(split.train)
      heldData = EncodedDataset(examples: split.held.map { whole.examples[$0] }, report: EncodingReport())
    }
    try DataPreparation.check(trainData.examples, of: trainRecords, for: model)
    if let mixture = recipe.data.mixture {
      trainData = mixture.drawn(from: trainData, of: trainRecords, seed: seed, notes: dataNotes)
    }
    (train, evaluation) = (trainData, heldData)
    try DataPreparation.check(evaluation?.examples ?? [], of: heldRecords, for: model)
    format = try encoder.format(of: trainRecords[0])
    answers = AnswerCheck(
      records: heldRecords, format: format, tokenizer: tokenizer, model: model, endIDs: base.endIDs(tokenizer),
      maxLength: recipe.data.maxLength)

    if let chosenBy = given?.selection {
      selection = try encoder.encodeDataset(chosenBy)
      selectionAnswers = AnswerCheck(records: chosenBy, format: format, tokenizer: tokenizer, model: model, endIDs: base.endIDs(tokenizer))
    } else {
      (selection, selectionAnswers) = (evaluation, answers)
    }

    let t = recipe.training
    plan = BatchPlanner(
      batchSize: t.batchSize, gradientAccumulationSteps: t.gradientAccumulationSteps, packing: recipe.data.packing ? recipe.data.maxLength : nil,
      shuffle: recipe.data.shuffle ? UInt64(bitPattern: Int64(t.seed)) : nil
    ).plan(train.examples)
    guard Double(plan.stepsPerEpoch) * (t.numEpochs ?? 1) <= Double(Recipe.largestCount) else {
      throw SessionError(
        .usage,
        "training.num_epochs: \(t.numEpochs ?? 1) epochs of \(plan.stepsPerEpoch) steps are more than \(Recipe.largestCount) steps; choose fewer")
    }
    stepCount = t.maxSteps ?? plan.stepCount(epochs: t.numEpochs ?? 1)
    schedule = LearningRateSchedule(
      t.lrScheduler, peak: t.learningRate ?? base.defaultLearningRate,
      warmupSteps: t.warmupStepCount(of: stepCount), totalSteps: stepCount)

    selectsBest = try Self.selectsBest(
      recipe, stepCount: stepCount, hasSelection: selection != nil, isReported: given != nil && given?.selection == nil)
    identity = RunIdentity(
      recipe: recipe, trainSHA256: RunIdentity.sha256(of: trainRecords), evaluationSHA256: RunIdentity.sha256(of: heldRecords),
      base: try base.fingerprint())
    let resumption = isResuming ? try Resumption(of: identity, stepCount: stepCount, in: output) : nil
    if claim != nil, let parameters = base.method.expectedParameterCount(on: base.model.catalog) {
      try MemoryEstimate(
        parameters: parameters, stateCount: t.updateRule.stateNames.count, on: base.model.catalog, tokens: plan.largestBatch(train.examples),
        recomputation: t.gradientCheckpointing
      ).require()
    }
    delta = try base.attach(recipe, from: resumption?.checkpoint?.weights)
    try delta.schedule?.prepare(stepCount: stepCount)
    optimizer = try t.optimizer(of: delta, on: base.model.catalog, peak: schedule.peak)
    state.stepCount = stepCount
    state.selection = BestSelection(metric: t.metricForBestModel, isGreaterBetter: t.greaterIsBetter)
    if let resumption { try goOn(from: resumption) }
  }

  /// - Parameter isReported: whether what is held out is what a comparison reports on, by which nothing may be chosen.
  private static func selectsBest(_ recipe: Recipe, stepCount: Int, hasSelection: Bool, isReported: Bool) throws -> Bool {
    let key = "training.load_best_model_at_end"
    guard let wanted = recipe.training.loadBestModelAtEnd else {
      guard let every = recipe.training.evalSteps else { return false }
      return hasSelection && !isReported && every > 0 && every < stepCount
    }
    guard wanted else { return false }
    guard hasSelection else { throw SessionError(.usage, "\(key): there are no held-out examples to choose by; add data.eval or data.eval_fraction") }
    guard !isReported else {
      throw SessionError(
        .usage, "\(key): data.eval is what the comparison reports; add data.eval_fraction, a share of the training examples to choose by")
    }
    return true
  }

  private func goOn(from resumption: Resumption) throws {
    (openingNotes, finishedSummary) = (resumption.notes, resumption.finishedSummary)
    guard let checkpoint = resumption.checkpoint else { return }
    try checkpoint.restore(optimizer)
    try checkpoint.restore(delta.schedule)
    openingNotes += state.restore(step: checkpoint.step, epoch: checkpoint.epoch, checkpoint.state)
    if let earlier = checkpoint.identity?.evaluationSHA256, earlier != identity.evaluationSHA256 {
      state.selection = BestSelection(metric: recipe.training.metricForBestModel, isGreaterBetter: recipe.training.greaterIsBetter)
      openingNotes.append("data.eval holds other examples than before; the best weights are chosen by these from here on")
    }
    earlierMetrics = checkpoint.metrics
  }

  func batch(_ indices: [Int], ofEpoch epoch: Int) -> Batch {
    Batch(collating: indices.map { encoder.example(train.examples[$0], of: format, index: $0, epoch: epoch) }, objective: objective)
  }

  /// What the recipe asks for that this version does not have.
  private static func requireSupport(for recipe: Recipe) throws {
    func refuse(_ key: String, _ value: String) -> SessionError { SessionError(.usage, "\(key): \(value) is not supported yet; leave it out") }
    guard recipe.model.quantization == .none else { throw refuse("model.quantization", recipe.model.quantization.rawValue) }
    guard recipe.training.precision == .fp32 else { throw refuse("training.precision", recipe.training.precision.rawValue) }
  }

  public var overview: RunOverview {
    RunOverview(
      modelName: base.name, methodName: type(of: delta.method).name, trainableParameters: delta.parameterCount,
      totalParameters: base.model.catalog.parameterCount + (base.isFull ? 0 : delta.parameterCount), exampleCount: train.examples.count,
      evaluationCount: evaluation?.examples.count ?? 0, stepCount: stepCount, firstStep: state.step)
  }

  /// What the user should know of the data and the tokenizer.
  var notes: [String] {
    let r = train.report
    var notes = [labelNote].compactMap { $0 } + dataNotes.all + delta.notes
    if r.truncatedCount > 0 {
      notes.append(
        "\(r.truncatedCount) of \(r.recordCount) examples are longer than max_length \(recipe.data.maxLength) and were cut (the longest has \(r.lengths.last ?? 0) tokens)"
      )
    }
    if r.lostMaskCount > 0 {
      notes.append("\(r.lostMaskCount) masks stood beyond max_length \(recipe.data.maxLength) and were lost with the words behind them")
    }
    if r.droppedCount > 0 { notes.append("\(r.droppedCount) examples had no token left to learn from within max_length and were left out") }
    if r.cutTextCount > 0 { notes.append("\(r.cutTextCount) texts were cut into windows of \(recipe.data.maxLength) tokens") }
    if let id = tokenizer.paddingID, id == tokenizer.endOfSequenceID {
      notes.append("the tokenizer pads with its end-of-sequence token; the loss is masked by position, so the model still learns to stop")
    }
    return notes
  }

  /// What an adapter must say to be used: the names of its labels, and which tokens see which.
  var adapterState: JSONObject {
    var state = JSONObject()
    for (key, value) in labels?.state ?? [] { state[key] = value }
    if let style = base.model.attentionStyle, style != .causal { state[ArchitectureConfiguration.attentionStyleKey] = .string(style.rawValue) }
    return state
  }

  /// Writes what was trained.
  /// - Returns: where the result is.
  func saveResult(step: Int, epoch: Double) throws -> String {
    if base.isFull {
      try base.writeModel(to: output + "/model", task: recipe.task, labels: labels)
      return output + "/model"
    }
    var stored = try base.stored(delta, taskType: recipe.task.peftName)
    var training = StoredTraining(step: step, epoch: epoch, seed: recipe.training.seed)
    training.recipe = try recipe.rendered()
    if !adapterState.isEmpty { training.state = .object(adapterState) }
    stored.training = training
    try AdapterArchive.write(AdapterFile(base: try base.fingerprint(), adapters: [stored]), to: output + "/adapter.h5")
    return output + "/adapter.h5"
  }
}

/// How a run ended.
public struct RunOutcome: Sendable {
  /// Whether it stopped early with a checkpoint to go on from.
  public var isInterrupted: Bool
  public var output: String
  /// What `summary.json` holds.
  public var summary: JSON
}
