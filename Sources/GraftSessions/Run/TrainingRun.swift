import GraftAdapters
import GraftCheckpoints
import GraftDatasets
import GraftJSON
import GraftLayers
import GraftOptimizers
import GraftRecipes
import GraftTensors
import GraftTokenizers
import GraftTraining

/// The answer to a run that would not fit into the memory that there is.
public enum MemoryCheck: Sendable {
  /// It is rehearsed, and refused where it does not fit.
  case required
  /// It is rehearsed, and begins all the same.
  case ignored
  /// It is refused where what is trained and the activations alone do not fit.
  case least
}

/// A recipe being run: the assembly of data, model, method and optimizer, from the recipe alone or from a checkpoint of the run.
public final class TrainingRun {
  /// The run before its first step.
  public let plan: RunPlan
  /// The run directory.
  package let output: String
  /// The examples, encoded.
  package let data: RunData
  let base: TrainableBase
  package let model: any TrainableModel
  /// The trained weights on the base.
  package let delta: Delta
  /// The trained weights as files keep them.
  let product: RunProduct
  let optimizer: Optimizer
  /// The start of the run: its beginning, or the checkpoint that it goes on from.
  let state: RunState
  /// The log of a run that goes on, up to its interruption.
  package let earlierMetrics: [JSON]
  /// The summary of a run that was to go on and has nothing left to do.
  private let finishedSummary: JSON?
  /// Remarks for the user on how the run begins.
  let openingNotes: [String]
  /// Remarks for the user on the data and the tokenizer.
  let notes: [String]
  /// The sole right to the run directory, until the run has ended.
  private(set) var claim: OutputClaim?
  private let crossEntropy: CrossEntropyOptions
  /// The view that the reference has of the answers that are compared; nil for a loss without a reference.
  let references: ReferenceScores?
  /// The processes that share the run.
  let communicator: any Communicator
  /// The prediction of what the run takes; nil where nobody asked.
  public let estimate: RunEstimate?

  /// Prepares a run: everything that can be wrong with a recipe is found here, and what can be told without files before any is read.
  ///
  /// - Parameters:
  ///   - output: the run directory.
  ///   - use: what to do where it holds a run already.
  ///   - communicator: the processes that share the run. Each prepares it, from the same recipe and files, and runs it; the first one writes.
  ///   - memory: what is done where the run would not fit into memory.
  ///   - progress: told how far weights are loaded and records encoded.
  /// - Throws: `ConfigError`, `DatasetError`, `CheckpointError` and their like.
  public convenience init(
    _ recipe: Recipe, output: String, use: UsedOutput = .refused, communicator: any Communicator = SingleProcess(),
    memory: MemoryCheck = .required, progress: ProgressHandler = { _ in }
  ) throws {
    let output = output.trimmingTrailingSlashes
    do {
      let settings = try RunSettings(recipe)
      let claim = communicator.rank == 0 ? try OutputClaim(output, files: .ofRun, use: use) : nil
      try self.init(
        settings, output: output, claim: claim, isResuming: use == .resumed, communicator: communicator, memory: memory, progress: progress)
    } catch {
      throw recipe.placed(error)
    }
  }

  /// - Parameters:
  ///   - claim: the right to the run directory; nil for a run that only evaluates, and where another process writes.
  ///   - isResuming: true where the run goes on from the newest checkpoint in it.
  ///   - shared: a base that is in memory already; its method is the recipe's all the same.
  ///   - split: the records to train on and those held out, where the recipe's own files do not decide.
  ///   - notes: where to say what is to be said of the data.
  package init(
    _ settings: RunSettings, output: String, claim: OutputClaim?, isResuming: Bool = false, sharing shared: TrainableBase? = nil,
    split given: RecordSplit? = nil, notes dataNotes: DataNotes = DataNotes(), communicator: any Communicator = SingleProcess(),
    memory: MemoryCheck = .least, progress: ProgressHandler = { _ in }
  ) throws {
    let recipe = settings.recipe
    self.communicator = communicator
    let split = try given ?? RecordSplit(ofRun: recipe, notes: dataNotes)
    let labels = try DataPreparation.labels(recipe, records: split.labelled)
    crossEntropy = try recipe.crossEntropy(for: labels?.scheme)
    let (rehearsal, outline) = try Self.outline(
      settings, labels: labels?.scheme, sharing: shared, memory: communicator.size > 1 ? .least : memory, progress: progress)
    let tokenizer = try outline.tokenizer()
    _ = try Self.trainable(outline, recipe)
    data = try RunData(
      settings, split, labels: labels?.scheme, tokenizer: tokenizer, on: outline, notes: dataNotes,
      isKnownWhole: isResuming && Self.wasKnownWhole(in: output), progress: progress)
    plan = try RunPlan(settings, for: try data.planned(isReported: split.isReported))
    // What only evaluates has no claim, and neither has a process beside the one that writes.
    if rehearsal == nil, memory != .ignored, claim != nil || communicator.rank > 0 {
      try plan.memory(of: outline.method, on: outline.model.catalog)?.require()
    }
    estimate = try rehearsal.flatMap { [plan, data] in
      do {
        return try RunEstimator(plan: plan, data: data, resident: Double(ProcessMemory.residentBytes)).estimate($0, for: .fitting)
      } catch let error as MemoryError {
        throw error
      } catch {
        // What does not fit the model is told by the run itself.
        return nil
      }
    }
    if memory == .required { try estimate?.require() }
    base = rehearsal == nil ? outline : try TrainableBase(settings, labels: labels?.scheme, after: outline, progress: progress)
    let model = try Self.trainable(base, recipe)
    progress(RunProgress(.hashing))
    let identity = RunIdentity(
      recipe: recipe, trainSHA256: data.digests.train, evaluationSHA256: data.digests.evaluation, base: try base.fingerprint())
    let resumption = isResuming ? try Resumption(of: identity, stepCount: plan.stepCount, in: output) : nil
    delta = try base.attach(recipe, from: resumption?.checkpoint?.weights)
    try delta.schedule?.prepare(stepCount: plan.stepCount)
    optimizer = try recipe.training.optimizer(of: delta, on: base.model.catalog, peak: plan.schedule.peak)
    product = RunProduct(recipe: recipe, base: base, delta: delta, labels: labels?.scheme, identity: identity)
    let start = try resumption?.start(plan, identity, optimizer, delta) ?? Resumption.Start(RunState(plan.firstState))
    (state, openingNotes, earlierMetrics) = (start.state, start.notes, start.metrics)
    finishedSummary = resumption?.finishedSummary
    notes = settings.notes + base.advice(settings) + Self.notes(data, labels?.note, dataNotes, delta, tokenizer, maxLength: recipe.data.maxLength)
    if settings.preference?.loss.usesReference == true, let model = model as? any LanguageModel {
      references = ReferenceScores(
        ReferenceRun(settings: settings, base: base, model: model, delta: delta, data: data, communicator: communicator))
    } else {
      references = nil
    }
    (self.model, self.output, self.claim) = (model, output, claim)
  }

  /// Returns the base that data and plan are made for: one that is in memory already, or one whose weights take no memory, to rehearse with.
  ///
  /// - Throws: `MemoryError` where the weights alone do not fit, and what building the model throws.
  private static func outline(
    _ settings: RunSettings, labels: LabelScheme?, sharing shared: TrainableBase?, memory: MemoryCheck, progress: ProgressHandler
  ) throws -> (rehearsal: RunRehearsal?, base: TrainableBase) {
    if let shared { return (nil, try shared.adapted(to: settings)) }
    // One process on a machine can tell what the machine has for it; several cannot.
    guard memory != .least else { return (nil, try TrainableBase(settings, labels: labels, progress: progress)) }
    let rehearsal = try RunRehearsal(settings, labels: labels)
    if memory == .required { try rehearsal.requireRoomForWeights() }
    return (rehearsal, rehearsal.base)
  }

  private static func trainable(_ base: TrainableBase, _ recipe: Recipe) throws -> any TrainableModel {
    guard let model = base.model as? any TrainableModel else {
      throw SessionError(.usage, "task: \(recipe.task.rawValue) is not supported for \(base.model.modelType)")
    }
    return model
  }

  /// Returns true for a run whose examples were all in memory, as those of earlier versions were: it goes on with the steps that it had.
  private static func wasKnownWhole(in output: String) -> Bool {
    guard let earlier = TrainingCheckpoint.newest(in: output).checkpoint?.identity?.trainSHA256 else { return false }
    return !earlier.hasPrefix(RecordList.fileMark)
  }

  private static func notes(
    _ data: RunData, _ labelNote: String?, _ dataNotes: DataNotes, _ delta: Delta, _ tokenizer: Tokenizer, maxLength: Int
  ) -> [String] {
    var notes = [labelNote].compactMap { $0 } + dataNotes.all + delta.notes + data.notes(maxLength: maxLength)
    if let id = tokenizer.paddingID, id == tokenizer.endOfSequenceID {
      notes.append("the tokenizer pads with its end-of-sequence token; the loss is masked by position, so the model still learns to stop")
    }
    return notes
  }

  /// The size of the run.
  public var overview: RunOverview {
    RunOverview(
      modelName: base.name, methodName: type(of: delta.method).name, trainableParameters: delta.parameterCount,
      totalParameters: base.model.catalog.parameterCount + (base.isFull ? 0 : delta.parameterCount), exampleCount: plan.exampleCount,
      evaluationCount: plan.evaluationCount, stepCount: plan.stepCount, firstStep: state.training.step)
  }

  /// A trainer of the delta that goes on where the run starts.
  func makeTrainer() -> Trainer {
    let training = plan.settings.recipe.training
    var settings = Trainer.Settings(
      schedule: plan.schedule, maxGradientNorm: training.maxGradNorm, loggingSteps: max(1, training.loggingSteps),
      recomputation: training.gradientCheckpointing, seed: training.seed)
    settings.crossEntropy = crossEntropy
    settings.arithmetic = training.precision.arithmetic
    if training.precision == .fp16 { settings.lossScale = LossScale.Settings(training.lossScale) }
    let hooks = delta.schedule.map { schedule in
      Trainer.Hooks(penalty: { schedule.penalty() }, updated: { schedule.updated(step: $0, gradients: $1, gradientScale: $2) })
    }
    let loss = plan.settings.loss.sum
    return Trainer(
      optimizer, settings: settings, hooks: hooks ?? Trainer.Hooks(), communicator: communicator, progress: state.training.progress
    ) { [model] in loss(model, $0, $1, $2) }
  }

  /// The measurements of the run.
  func makeEvaluation(isInterrupted: @escaping () -> Bool, progress: @escaping ProgressHandler = { _ in }) -> RunEvaluation {
    RunEvaluation(
      model: model, data: data, communicator: communicator, preference: plan.settings.preference, references: references,
      isInterrupted: isInterrupted, progress: progress)
  }

  /// For every example held out 1 where the model tells its answers apart, or agrees with its label, and 0 where it does not; nil where the task
  /// is none of preferences, or nothing is held out.
  ///
  /// - Throws: what asking the reference throws.
  package func preferenceHits() throws -> [Double]? {
    guard let preference = plan.settings.preference, let held = data.evaluation, let model = model as? any LanguageModel else { return nil }
    try references?.prepare(isTraining: false)
    return held.evaluationBatches(data.objective, references: references?.evaluation).flatMap { preference.hits(of: model, $0) }
  }

  /// Trains, evaluates and writes the run directory.
  ///
  /// - Parameters:
  ///   - isInterrupted: asked after every step and during evaluations; true writes a checkpoint and ends the run as `interrupted`.
  ///   - evaluatesEnds: true where held-out examples are evaluated before the first and after the last step.
  /// - Throws: `TrainingError` where training diverges, `CheckpointError` where files cannot be written, and what `onEvent` throws.
  public func run(isInterrupted: () -> Bool = { false }, evaluatesEnds: Bool = true, onEvent: (RunEvent) throws -> Void) throws -> RunOutcome {
    defer { claim = nil }
    if let finishedSummary, evaluatesEnds {
      for note in openingNotes { try onEvent(.note(note)) }
      return RunOutcome(isInterrupted: false, output: output, summary: finishedSummary)
    }
    do { return try course(isInterrupted, evaluatesEnds: evaluatesEnds, onEvent) } catch let error as SessionError where error.kind == .usage {
      throw plan.settings.recipe.placed(error)
    }
  }

  private func course(
    _ isInterrupted: () -> Bool, evaluatesEnds: Bool, _ onEvent: (RunEvent) throws -> Void
  ) throws -> RunOutcome {
    try withoutActuallyEscaping(isInterrupted) { isInterrupted in
      try withoutActuallyEscaping(onEvent) { onEvent in
        // Evaluations compute as training does.
        try plan.settings.recipe.training.precision.run {
          try RunCourse(self, evaluatesEnds: evaluatesEnds, isInterrupted: isInterrupted, onEvent: onEvent).execute()
        }
      }
    }
  }
}

extension LossScale.Settings {
  /// The rule of a recipe.
  init(_ recipe: Recipe.Training.LossScaling) {
    self.init(
      initial: recipe.initial, growthFactor: recipe.growthFactor, backoffFactor: recipe.backoffFactor, growthInterval: recipe.growthInterval,
      minimum: recipe.minimum)
  }
}
