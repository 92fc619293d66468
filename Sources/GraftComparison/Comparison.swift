import GraftCheckpoints
import GraftConfiguration
import GraftDatasets
import GraftRecipes
import GraftSessions
import GraftTraining

/// An event of a comparison, told while it goes on.
public enum ComparisonEvent: Sendable {
  /// The base and the data are ready; the runs that choose learning rates are counted as well.
  case started(methods: [String], seeds: [Int], baseName: String, runCount: Int)
  /// Something that the user should know.
  case note(String)
  /// A run begins.
  case runStarted(name: String, seed: Int, learningRate: Double, isTrial: Bool)
  /// An event of a run's training.
  case training(TrainingEvent)
  /// A part of a run that takes its time beside the steps has come so far.
  case progress(RunProgress)
  /// A run is done, or was done by an earlier call.
  case finished(ComparisonRecord, isReused: Bool)
  /// A learning rate was chosen among several.
  case chose(name: String, learningRate: Double)
}

/// One task under several methods and seeds, on one base in memory.
///
/// Every method reads the same examples in the same batches. Where there is a choice of learning rates each is tried under
/// the first seed on examples set aside from training; the test examples decide nothing.
public final class Comparison {
  let recipe: Recipe
  let output: String
  let methods: [Recipe.PlannedMethod]
  /// The seeds that every method runs under.
  public let seeds: [Int]
  /// Remarks on the data.
  public let notes = DataNotes()
  /// The base of the first method, and of all that are built as it is.
  let base: TrainableBase
  private let labels: LabelScheme?
  private let labelNote: String?
  let split: RecordSplit, trialSplit: RecordSplit?
  let digest: String
  let forgetting: ForgettingCheck?
  var store: ComparisonStore
  private let claim: OutputClaim

  /// The share of the training examples that learning rates are chosen by.
  static let validationShare = 0.1

  /// Reads the base and the data.
  ///
  /// - Parameters:
  ///   - output: the folder of the results; runs of this comparison found finished there are not repeated.
  ///   - isFresh: true where what an earlier comparison wrote there is removed.
  ///   - progress: told how many of the base's weights are loaded.
  /// - Throws: what is wrong with the recipe, the base or the data, and `CheckpointError` of kind `cannotCreate` for a folder that holds something
  ///   else. What is wrong with one method alone becomes its result.
  public convenience init(_ recipe: Recipe, output: String, isFresh: Bool = false, progress: ProgressHandler = { _ in }) throws {
    do { try self.init(found: recipe, output: output, isFresh: isFresh, progress) } catch { throw recipe.placed(error) }
  }

  private init(found recipe: Recipe, output: String, isFresh: Bool, _ progress: ProgressHandler) throws {
    var recipe = recipe
    for note in try recipe.findModels() { notes.say(note) }
    methods = try recipe.plannedMethods()
    let output = output.trimmingTrailingSlashes
    claim = try OutputClaim(output, files: .ofComparison, use: isFresh ? .overwritten : .resumed)
    (self.recipe, self.output) = (recipe, output)
    seeds = recipe.seeds ?? Recipe.defaultSeeds
    split = try RecordSplit(ofComparison: recipe, seed: seeds[0], notes: notes)
    trialSplit = try methods.contains { $0.learningRates.count > 1 } ? split.settingAside(Self.validationShare, seed: seeds[0]) : nil
    let labels = try DataPreparation.labels(recipe, records: split.train + split.held + (split.selection ?? RecordList()))
    labelNote = labels?.note
    self.labels = labels?.scheme
    let seed = seeds[0]
    let base = try TrainableBase(
      RunSettings(Self.untouched(methods[0].recipe(seed: seed))), labels: labels?.scheme, frozenFormat: methods[0].frozenFormat(among: methods),
      progress: progress)
    self.base = base
    forgetting = try recipe.data.forgetting.map { try ForgettingCheck($0.paths, base: base, recipe: recipe) }
    progress(RunProgress(.hashing))
    digest = try Self.digest(of: split, and: base.fingerprint())
    store = try ComparisonStore(output, model: base.name, recipe: recipe, digest: digest, isFresh: isFresh)
  }

  /// Runs what is missing.
  ///
  /// - Parameter isInterrupted: asked after every step; true ends the comparison, and the next call goes on.
  /// - Returns: nil when it was interrupted.
  /// - Throws: `CheckpointError` where results cannot be written, and what `onEvent` throws.
  public func run(isInterrupted: () -> Bool = { false }, onEvent: (ComparisonEvent) throws -> Void) throws -> ComparisonResult? {
    let fewShot = recipe.fewShot ?? []
    let trialCount = methods.reduce(0) { $0 + ($1.learningRates.count > 1 && trialSplit != nil ? $1.learningRates.count : 0) }
    try onEvent(
      .started(methods: methods.map(\.name), seeds: seeds, baseName: base.name, runCount: (methods.count + fewShot.count) * seeds.count + trialCount))
    if let labelNote { try onEvent(.note(labelNote)) }
    try claim.take()
    try store.write(try recipe.rendered(), to: "recipe.yaml")
    let untouched = try baseline(onEvent)
    var finished: [ComparisonRecord] = []
    var trials: [ComparisonRecord] = []
    for count in fewShot {
      for seed in seeds {
        if isInterrupted() { return nil }
        finished.append(try self.fewShot(count, seed: seed, onEvent))
      }
    }
    for method in methods {
      let base = self.base(of: method)
      var chosen: Double?
      if method.learningRates.count > 1, let trialSplit {
        var tried: [ComparisonRecord] = []
        for rate in method.learningRates {
          guard let record = try result(of: method, on: base, seed: seeds[0], rate: rate, of: trialSplit, isTrial: true, isInterrupted, onEvent)
          else {
            return nil
          }
          tried.append(record)
        }
        trials += tried
        chosen = Self.best(of: tried)?.learningRate
        if let chosen { try onEvent(.chose(name: method.name, learningRate: chosen)) }
      }
      for seed in seeds {
        let rate = chosen ?? method.learningRates.first
        guard let record = try result(of: method, on: base, seed: seed, rate: rate, of: split, isTrial: false, isInterrupted, onEvent) else {
          return nil
        }
        finished.append(record)
      }
    }
    let result = ComparisonResult(
      recipe: recipe, baseline: untouched, runs: finished, trials: trials, output: output, baseName: baseName)
    try store.write(result)
    return result
  }

  /// The base of a method, not yet built where it is not the first one's.
  private func base(of method: Recipe.PlannedMethod) -> MethodBase {
    guard !method.hasBase(of: methods[0]) else { return MethodBase(sharing: base) }
    let recipe = method.recipe(seed: seeds[0])
    let digest = try? recipe.model == methods[0].recipe.model ? base.fingerprint().weightsSHA256 : TrainableBase.weightsSHA256(of: recipe)
    return MethodBase(digest: digest ?? "") { [methods, labels] in
      try TrainableBase(RunSettings(Self.untouched(recipe)), labels: labels, frozenFormat: method.frozenFormat(among: methods))
    }
  }

  /// The name of the model, where it is one.
  private var baseName: String {
    let count = methods.reduce(into: [Recipe.Model]()) { if !$0.contains($1.recipe.model) { $0.append($1.recipe.model) } }.count
    return count == 1 ? base.name : "\(count) models"
  }

  /// The run with the best score, and of those that are equal the one with the least training loss.
  private static func best(of records: [ComparisonRecord]) -> ComparisonRecord? {
    records.filter { $0.status == .success && $0.score.isFinite }.max { a, b in
      if a.score == b.score { return (a.finalLoss ?? .infinity) > (b.finalLoss ?? .infinity) }
      return a.isHigherBetter ? a.score < b.score : a.score > b.score
    }
  }

  /// Returns a recipe without what is its method's alone.
  static func untouched(_ recipe: Recipe) -> Recipe {
    var copy = recipe
    // Nothing is full that is quantized.
    copy.method = ["peft_type": copy.weightQuantization == nil ? "FULL" : "LN_TUNING"]
    copy.training.loraplusLrRatio = nil
    copy.training.preconditioner = nil
    return copy
  }

  /// The base as it is. A delta must be on for a run to be prepared, and is taken off again before anything is computed.
  private func baseline(_ onEvent: (ComparisonEvent) throws -> Void) throws -> ComparisonRecord {
    let key = try RunKey.of(.baseline, recipe, digest: digest)
    if let known = store.record(key) {
      try forgetting?.measureBase()
      try onEvent(.finished(known, isReused: true))
      return known
    }
    var record = ComparisonRecord(key: key, name: "untouched base", seed: 0, learningRate: 0)
    let run = try TrainingRun(
      RunSettings(Self.untouched(methods[0].recipe(seed: seeds[0]))), output: output, claim: nil, sharing: base, split: split, notes: notes)
    run.delta.detach()
    let scores = try run.exampleScores { try? onEvent(.progress($0)) }
    record.take(scores, answers: Self.keptAnswers)
    record.status = .baseline
    record.totalParameters = base.model.catalog.parameterCount
    try forgetting?.measureBase()
    record.forgetting = forgetting == nil ? nil : 0
    record.createdAt = Self.now
    try store.add(record)
    try onEvent(.finished(record, isReused: false))
    return record
  }

  /// The number of answers of a run that are kept to be shown.
  static let keptAnswers = 8
}
