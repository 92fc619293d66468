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
}

/// A recipe being run: the assembly of model, method, data and trainer, and the files that come of it.
public final class TrainingRun {
  let recipe: Recipe
  let output: String
  let base: TrainableBase
  let tokenizer: Tokenizer
  let delta: Delta
  let model: any TrainableModel
  let objective: BatchObjective
  /// A classifier's labels.
  let labels: LabelScheme?
  private let labelNote: String?
  private let dataNotes = DataNotes()
  private let crossEntropy: CrossEntropyOptions
  let train: EncodedDataset, evaluation: EncodedDataset?
  private let encoder: ExampleEncoder, format: DataFormat
  let answers: AnswerCheck?
  let plan: BatchPlan
  let optimizer: Optimizer
  let schedule: LearningRateSchedule
  let stepCount: Int
  private(set) var firstStep = 0
  /// What was logged, read and spent before a run that goes on was interrupted.
  private(set) var earlierMetrics: [JSON] = []
  private(set) var earlierTokens = 0
  private(set) var earlierSeconds = 0.0

  /// Prepares a run: everything that can be wrong with a recipe is found here.
  ///
  /// - Parameters:
  ///   - output: the run directory.
  ///   - resuming: whether to go on from the newest checkpoint in it.
  ///   - shared: a base that is in memory already; its method is the recipe's all the same.
  ///   - split: the records to train on and those held out, where the recipe's own files do not decide.
  /// - Throws: `ConfigError`, `DatasetError`, `CheckpointError` and their like.
  public convenience init(_ recipe: Recipe, output: String, resuming: Bool = false) throws {
    try self.init(recipe, output: output, resuming: resuming, sharing: nil, split: nil)
  }

  init(_ recipe: Recipe, output: String, resuming: Bool, sharing shared: TrainableBase?, split given: RecordSplit?) throws {
    self.recipe = recipe
    self.output = output
    try Self.requireSupport(for: recipe)
    let records = try given.map { $0.train + $0.held } ?? DataPreparation.records(of: recipe.data.train?.paths ?? [], layout: recipe.data.tableLayout)
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
      tokenizer, for: model, task: recipe.task, format: recipe.data.objective == .spanCorruption ? .text : recipe.data.format, maxLength: recipe.data.maxLength,
      completionOnlyLoss: recipe.data.completionOnlyLoss, cutsTextsIntoWindows: recipe.data.packing, labels: labels,
      maskingSeed: UInt64(bitPattern: Int64(recipe.training.seed)), corruption: recipe.data.corruption, pairsSentences: recipe.data.nextSentence)
    var trainRecords = records, heldRecords: [DataRecord] = []
    let seed = UInt64(bitPattern: Int64(recipe.training.seed))
    // A document is cut into windows first, which are what is held out.
    let splitsWindows = given == nil && recipe.data.evalFraction != nil && records.allSatisfy(\.isDocument)
    if let given {
      (trainRecords, heldRecords) = (given.train, given.held)
    } else if let eval = recipe.data.eval {
      heldRecords = try DataPreparation.records(of: eval.paths, layout: recipe.data.tableLayout)
    } else if let fraction = recipe.data.evalFraction, !splitsWindows {
      let split = try SeededSplit.indices(count: records.count, fraction: fraction, seed: seed)
      trainRecords = split.train.map { records[$0] }
      heldRecords = split.held.map { records[$0] }
    }
    dataNotes.sayLongRows(records)
    guard !trainRecords.isEmpty else {
      throw SessionError(.data, "data.train: \((recipe.data.train?.paths ?? []).joined(separator: ", ")) holds no records; add at least one")
    }
    var trainData = try encoder.encodeDataset(trainRecords)
    var heldData = heldRecords.isEmpty ? nil : try encoder.encodeDataset(heldRecords)
    if let fraction = recipe.data.evalFraction, splitsWindows {
      let whole = trainData
      let split = try SeededSplit.indices(count: whole.examples.count, fraction: fraction, seed: seed)
      trainData.examples = split.train.map { whole.examples[$0] }
      heldData = EncodedDataset(examples: split.held.map { whole.examples[$0] }, report: EncodingReport())
    }
    (train, evaluation) = (trainData, heldData)
    try DataPreparation.check(train.examples, of: trainRecords, for: model)
    try DataPreparation.check(evaluation?.examples ?? [], of: heldRecords, for: model)
    format = try encoder.format(of: trainRecords[0])
    answers = AnswerCheck(
      records: heldRecords, format: format, tokenizer: tokenizer, model: model, endIDs: base.endIDs(tokenizer), startID: base.startID)

    let t = recipe.training
    plan = BatchPlanner(
      batchSize: t.batchSize, gradientAccumulationSteps: t.gradientAccumulationSteps, packing: recipe.data.packing ? recipe.data.maxLength : nil,
      shuffle: recipe.data.shuffle ? UInt64(bitPattern: Int64(t.seed)) : nil
    ).plan(train.examples)
    stepCount = t.maxSteps ?? plan.stepCount(epochs: t.numEpochs ?? 1)
    schedule = LearningRateSchedule(
      LearningRateSchedule.Shape(rawValue: t.lrScheduler.rawValue) ?? .cosine, peak: t.learningRate ?? base.defaultLearningRate,
      warmupSteps: t.warmupStepCount(of: stepCount), totalSteps: stepCount)

    let checkpoint = resuming ? try TrainingCheckpoint.newest(in: output) : nil
    delta = try base.attach(recipe, from: checkpoint?.weights)
    try delta.schedule?.prepare(stepCount: stepCount)
    optimizer = try t.optimizer(of: delta, on: base.model.catalog, peak: schedule.peak)
    if let checkpoint {
      try checkpoint.restore(optimizer)
      try checkpoint.restore(delta.schedule)
      firstStep = checkpoint.step
      earlierMetrics = checkpoint.metrics
      (earlierTokens, earlierSeconds) = (checkpoint.tokens, checkpoint.seconds)
    }
  }

  private func batch(_ indices: [Int], ofEpoch epoch: Int) -> Batch {
    Batch(collating: indices.map { encoder.example(train.examples[$0], of: format, index: $0, epoch: epoch) }, objective: objective)
  }

  /// What the recipe asks for that this version does not have.
  private static func requireSupport(for recipe: Recipe) throws {
    func refuse(_ key: String, _ value: String) -> SessionError { SessionError(.usage, "\(key): \(value) is not supported yet; leave it out") }
    guard recipe.model.quantization == .none else { throw refuse("model.quantization", recipe.model.quantization.rawValue) }
    guard recipe.training.precision == .fp32 else { throw refuse("training.precision", recipe.training.precision.rawValue) }
  }

  /// Trains, evaluates and writes the run directory.
  ///
  /// - Parameters:
  ///   - isInterrupted: asked after every step; true writes a checkpoint and ends the run as `interrupted`.
  ///   - evaluatesEnds: whether held-out examples are evaluated before the first and after the last step.
  public func run(isInterrupted: () -> Bool = { false }, evaluatesEnds: Bool = true, onEvent: (RunEvent) throws -> Void) throws -> RunOutcome {
    let directory = try RunDirectory(output, keeping: earlierMetrics)
    try directory.write(try recipe.rendered(), to: "recipe.yaml")
    let recorder = try RunRecorder(self, directory)
    try onEvent(.started(overview))
    for note in notes { try onEvent(.note(note)) }

    let t = recipe.training
    var settings = Trainer.Settings(
      schedule: schedule, maxGradientNorm: t.maxGradNorm, loggingSteps: max(1, t.loggingSteps), isCheckpointing: t.gradientCheckpointing,
      seed: t.seed)
    settings.crossEntropy = crossEntropy
    let trainer = Trainer(
      optimizer, settings: settings,
      hooks: delta.schedule.map { schedule in
        Trainer.Hooks(penalty: { schedule.penalty() }, updated: { schedule.updated(step: $0, gradientScale: $1) })
      } ?? Trainer.Hooks(),
      startingTokens: earlierTokens, loss: model.loss)
    BufferPool.shared.resetPeak()

    if firstStep == 0, evaluatesEnds { try evaluate(step: 0, epoch: 0, recorder, answering: true, onEvent) }
    var stopper = EarlyStopping(patience: t.earlyStoppingPatience)
    var step = firstStep, epoch = 0.0
    for planned in plan.steps(firstStep..<stepCount) {
      let isLast = planned.index + 1 == stepCount
      do {
        try trainer.run(planned, isLast: isLast, batch: { batch($0, ofEpoch: planned.epoch) }) { event in
          if case .logged(let line) = event { try recorder.log(line) }
          try onEvent(.training(event))
        }
      } catch let error as TrainingError {
        // Damaged weights are the commoner cause, and can be named.
        guard let parameter = base.model.catalog.firstNonFiniteParameter(), planned.index == firstStep else { throw error }
        throw SessionError(.nonFinite, "\(base.name): \(parameter.path) holds values that are not finite; the checkpoint is damaged, fetch it again")
      }
      step = planned.index + 1
      epoch = planned.epochsCompleted
      if isInterrupted() {
        try saveCheckpoint(step, epoch, trainer, directory)
        return RunOutcome(isInterrupted: true, output: output, summary: .null)
      }
      if let every = t.evalSteps, every > 0, step % every == 0, !isLast {
        let loss = try trainer.pausingClock { try evaluate(step: step, epoch: epoch, recorder, answering: false, onEvent) }
        if stopper.shouldStop(after: loss) {
          try onEvent(.note("stopped at step \(step): the evaluation loss has not improved \(stopper.patience ?? 0) times in a row"))
          break
        }
      }
      if let every = t.saveSteps, every > 0, step % every == 0, !isLast {
        try trainer.pausingClock { try saveCheckpoint(step, epoch, trainer, directory) }
      }
    }
    let seconds = trainer.elapsedSeconds
    if evaluatesEnds { try evaluate(step: step, epoch: epoch, recorder, answering: true, onEvent) }
    let saved = try saveResult(step: step, epoch: epoch)
    let summary = try recorder.finish(step: step, seconds: seconds, tokens: trainer.tokens - earlierTokens, saved: saved)
    try onEvent(.saved(path: saved))
    return RunOutcome(isInterrupted: false, output: output, summary: summary)
  }

  public var overview: RunOverview {
    RunOverview(
      modelName: base.name, methodName: type(of: delta.method).name, trainableParameters: delta.parameterCount,
      totalParameters: base.model.catalog.parameterCount + (base.isFull ? 0 : delta.parameterCount), exampleCount: train.examples.count,
      evaluationCount: evaluation?.examples.count ?? 0, stepCount: stepCount, firstStep: firstStep)
  }

  private var notes: [String] {
    let r = train.report
    var notes = [labelNote].compactMap { $0 } + dataNotes.all
    if r.truncatedCount > 0 {
      notes.append("\(r.truncatedCount) of \(r.recordCount) examples are longer than max_length \(recipe.data.maxLength) and were cut (the longest has \(r.lengths.last ?? 0) tokens)")
    }
    if r.lostMaskCount > 0 { notes.append("\(r.lostMaskCount) masks stood beyond max_length \(recipe.data.maxLength) and were lost with the words behind them") }
    if r.droppedCount > 0 { notes.append("\(r.droppedCount) examples had no token left to learn from within max_length and were left out") }
    if r.cutTextCount > 0 { notes.append("\(r.cutTextCount) texts were cut into windows of \(recipe.data.maxLength) tokens") }
    if let id = tokenizer.paddingID, id == tokenizer.endOfSequenceID {
      notes.append("the tokenizer pads with its end-of-sequence token; the loss is masked by position, so the model still learns to stop")
    }
    return notes
  }

  /// - Returns: the evaluation loss, where there is held-out data.
  @discardableResult
  private func evaluate(step: Int, epoch: Double, _ recorder: RunRecorder, answering: Bool, _ onEvent: (RunEvent) throws -> Void) throws -> Double? {
    guard let evaluation else { return nil }
    // Training, evaluation and answers hold memory of different sizes, which would add up.
    BufferPool.shared.trim()
    defer { BufferPool.shared.trim() }
    var values = Evaluator.figures(of: model, batches: evaluation.evaluationBatches(objective)).map { (name: "eval_" + $0.name, value: $0.value) }
    if answering, let answers {
      BufferPool.shared.trim()
      let outcome = try answers.run()
      values.append(("eval_exact_match", outcome.exactMatch))
      for answer in outcome.answers.prefix(3) { try onEvent(.answered(answer, isBefore: step == 0)) }
      recorder.answered(outcome.answers, isBefore: step == 0)
    }
    try recorder.evaluated(step: step, epoch: epoch, values)
    try onEvent(.evaluated(step: step, values))
    return values.first?.value
  }

  private func saveCheckpoint(_ step: Int, _ epoch: Double, _ trainer: Trainer, _ directory: RunDirectory) throws {
    try TrainingCheckpoint.write(
      delta: delta, optimizer: optimizer, step: step, epoch: epoch, tokens: trainer.tokens, seconds: earlierSeconds + trainer.elapsedSeconds,
      seed: recipe.training.seed, metrics: directory.metrics, recipe: try recipe.rendered(), in: output, keeping: recipe.training.saveTotalLimit)
  }

  /// - Returns: where the result is.
  private func saveResult(step: Int, epoch: Double) throws -> String {
    if base.isFull {
      try base.writeModel(to: output + "/model", task: recipe.task, labels: labels)
      return output + "/model"
    }
    var stored = try base.stored(delta, taskType: recipe.task.peftName)
    var training = StoredTraining(step: step, epoch: epoch, seed: recipe.training.seed)
    training.recipe = try recipe.rendered()
    var state: JSON = [:]
    for (key, value) in labels?.state ?? [] { state[key] = value }
    if let style = base.model.attentionStyle, style != .causal { state[ArchitectureConfiguration.attentionStyleKey] = .string(style.rawValue) }
    if state != [:] { training.state = state }
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

/// Stops when the evaluation loss has not improved a number of times in a row.
struct EarlyStopping {
  let patience: Int?
  private var best = Double.infinity, misses = 0

  init(patience: Int?) { self.patience = patience }

  mutating func shouldStop(after loss: Double?) -> Bool {
    guard let patience, let loss else { return false }
    misses = loss < best ? 0 : misses + 1
    best = min(best, loss)
    return misses >= patience
  }
}
