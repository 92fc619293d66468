import Foundation
import GraftAdapters
import GraftBatching
import GraftCheckpoints
import GraftConfiguration
import GraftDatasets
import GraftJSON
import GraftLayers
import GraftRecipes
import GraftReports
import GraftSessions
import GraftTensors
import GraftTraining

/// An event of a comparison, told while it goes on.
public enum ComparisonEvent: Sendable {
  /// The base and the data are ready.
  case started(methods: [String], seeds: [Int], baseName: String)
  /// Something that the user should know.
  case note(String)
  /// A run begins.
  case runStarted(name: String, seed: Int, learningRate: Double, isTrial: Bool)
  case training(TrainingEvent)
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
  public let seeds: [Int]
  /// Remarks on the data.
  public let notes = DataNotes()
  private let base: TrainableBase
  private let labelNote: String?
  private let split: RecordSplit, trialSplit: RecordSplit?
  private let digest: String
  private let forgetting: ForgettingCheck?
  private var store: ComparisonStore
  private let claim: OutputClaim

  /// The share of the training examples that learning rates are chosen by.
  static let validationShare = 0.1

  /// Reads the base and the data.
  ///
  /// - Parameters:
  ///   - output: the folder of the results; runs of this comparison found finished there are not repeated.
  ///   - isFresh: whether to remove what an earlier comparison wrote there.
  /// - Throws: what is wrong with the recipe, the base or the data, and `CheckpointError` of kind `cannotCreate` for a folder that holds something
  ///   else. What is wrong with one method alone becomes its result.
  public init(_ recipe: Recipe, output: String, isFresh: Bool = false) throws {
    methods = try recipe.plannedMethods()
    let output = output.trimmingTrailingSlashes
    claim = try OutputClaim(output, files: .ofComparison, use: isFresh ? .overwritten : .resumed)
    (self.recipe, self.output) = (recipe, output)
    seeds = recipe.seeds ?? Recipe.defaultSeeds
    split = try RecordSplit(ofComparison: recipe, seed: seeds[0], notes: notes)
    trialSplit = try methods.contains { $0.learningRates.count > 1 } ? split.settingAside(Self.validationShare, seed: seeds[0]) : nil
    let labels = try DataPreparation.labels(recipe, records: split.train + split.held + (split.selection ?? []))
    labelNote = labels?.note
    let base = try TrainableBase(RunSettings(methods[0].recipe(seed: seeds[0])), labels: labels?.scheme)
    self.base = base
    forgetting = try recipe.data.forgetting.map { try ForgettingCheck($0.paths, base: base, recipe: recipe) }
    digest = try Self.digest(of: split, and: base.fingerprint())
    store = try ComparisonStore(output, model: base.name, recipe: recipe, digest: digest, isFresh: isFresh)
  }

  /// Runs what is missing.
  ///
  /// - Parameter isInterrupted: asked after every step; true ends the comparison, and the next call goes on.
  /// - Returns: nil when it was interrupted.
  /// - Throws: `CheckpointError` where results cannot be written, and what `onEvent` throws.
  public func run(isInterrupted: () -> Bool = { false }, onEvent: (ComparisonEvent) throws -> Void) throws -> ComparisonResult? {
    try onEvent(.started(methods: methods.map(\.name), seeds: seeds, baseName: base.name))
    if let labelNote { try onEvent(.note(labelNote)) }
    try claim.take()
    try store.write(try recipe.rendered(), to: "recipe.yaml")
    let untouched = try baseline(onEvent)
    var finished: [ComparisonRecord] = []
    var trials: [ComparisonRecord] = []
    for method in methods {
      var chosen: Double?
      if method.learningRates.count > 1, let trialSplit {
        var tried: [ComparisonRecord] = []
        for rate in method.learningRates {
          guard let record = try result(of: method, seed: seeds[0], rate: rate, on: trialSplit, isTrial: true, isInterrupted, onEvent) else {
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
        guard let record = try result(of: method, seed: seed, rate: rate, on: split, isTrial: false, isInterrupted, onEvent) else { return nil }
        finished.append(record)
      }
    }
    let result = ComparisonResult(recipe: recipe, baseline: untouched, runs: finished, trials: trials, output: output, baseName: base.name)
    try store.write(result)
    return result
  }

  /// The run with the best score, and of those that are equal the one with the least training loss.
  private static func best(of records: [ComparisonRecord]) -> ComparisonRecord? {
    records.filter { $0.status == .success && $0.score.isFinite }.max { a, b in
      if a.score == b.score { return (a.finalLoss ?? .infinity) > (b.finalLoss ?? .infinity) }
      return a.isHigherBetter ? a.score < b.score : a.score > b.score
    }
  }

  /// The base as it is. A delta must be on for a run to be prepared, and is taken off again before anything is computed.
  private func baseline(_ onEvent: (ComparisonEvent) throws -> Void) throws -> ComparisonRecord {
    let key = try SHA256.hash("baseline \(digest) \(Self.determining(recipe).rendered())")
    if let known = store.record(key) {
      forgetting?.measureBase()
      try onEvent(.finished(known, isReused: true))
      return known
    }
    var record = ComparisonRecord(key: key, name: "untouched base", seed: 0, learningRate: 0)
    var plain = methods[0].recipe(seed: seeds[0])
    plain.method = ["peft_type": "FULL"]
    plain.training.loraplusLrRatio = nil
    let run = try TrainingRun(RunSettings(plain), output: output, claim: nil, sharing: base, split: split, notes: notes)
    run.delta.detach()
    let scores = try run.exampleScores()
    record.take(scores, answers: Self.keptAnswers)
    record.status = .baseline
    record.totalParameters = base.model.catalog.parameterCount
    forgetting?.measureBase()
    record.forgetting = forgetting == nil ? nil : 0
    record.createdAt = Self.now
    try store.add(record)
    try onEvent(.finished(record, isReused: false))
    return record
  }

  /// The number of answers of a run that are kept to be shown.
  static let keptAnswers = 8

  /// - Returns: nil when the run was interrupted.
  private func result(
    of method: Recipe.PlannedMethod, seed: Int, rate: Double?, on split: RecordSplit, isTrial: Bool, _ isInterrupted: () -> Bool,
    _ onEvent: (ComparisonEvent) throws -> Void
  ) throws -> ComparisonRecord? {
    let own = method.recipe(seed: seed, learningRate: rate)
    let key = try SHA256.hash("\(isTrial) \(digest) \(Self.determining(own).rendered())")
    if let known = store.record(key) {
      try onEvent(.finished(known, isReused: true))
      return known
    }
    let learningRate = try own.training.learningRate ?? type(of: MethodCatalog.decode(recipe: own.method)).defaultLearningRate
    var record = ComparisonRecord(key: key, name: method.name, seed: seed, learningRate: learningRate)
    (record.isTrial, record.swept, record.createdAt) = (isTrial, method.swept, Self.now)
    (record.method, record.training) = (own.method.json, try own.trainingJSON)
    try onEvent(.runStarted(name: method.name, seed: seed, learningRate: learningRate, isTrial: isTrial))
    do {
      guard try train(own, on: split, into: &record, isInterrupted, onEvent) else { return nil }
    } catch let error as TrainingError {
      (record.status, record.message) = (.diverged, error.description)
    } catch let error as SessionError where error.kind == .nonFinite {
      (record.status, record.message) = (.diverged, error.description)
    } catch let error as CheckpointError {
      throw error
    } catch {
      (record.status, record.message) = (.failed, "\(error)")
    }
    try store.add(record)
    try onEvent(.finished(record, isReused: false))
    return record
  }

  /// - Returns: false when the run was interrupted.
  private func train(
    _ recipe: Recipe, on split: RecordSplit, into record: inout ComparisonRecord, _ isInterrupted: () -> Bool,
    _ onEvent: (ComparisonEvent) throws -> Void
  ) throws -> Bool {
    let folder = "\(output)/runs/\(record.folderName)"
    let claim = try OutputClaim(folder, files: .ofRun, use: .resumed)
    let run = try TrainingRun(RunSettings(recipe), output: folder, claim: claim, isResuming: true, sharing: base, split: split, notes: notes)
    defer {
      run.delta.detach()
      // What fits this method's shapes is of no use to the next.
      BufferPool.shared.trim()
    }
    var points = run.earlierMetrics.compactMap(ComparisonRecord.Point.init)
    let outcome = try run.run(isInterrupted: isInterrupted, evaluatesEnds: false) { event in
      guard case .training(let training) = event else { return }
      if case .logged(let line) = training { points.append(.init(step: line.step, loss: line.loss, seconds: line.elapsedSeconds)) }
      try onEvent(.training(training))
    }
    guard !outcome.isInterrupted else { return false }
    // What training held at most, before the evaluation takes memory of its own.
    record.peakMemoryBytes = BufferPool.shared.statistics.peakBytesInUse + base.mappedBytes
    let scores = try run.exampleScores()
    guard scores.values.allSatisfy(\.isFinite) else {
      throw TrainingError(.diverged, "the trained model's results are not finite; lower the learning rate")
    }
    record.take(scores, answers: Self.keptAnswers)
    record.points = points
    record.finalLoss = outcome.summary["final_loss"]?.double ?? points.last?.loss
    record.seconds = outcome.summary["wall_seconds"]?.double ?? 0
    record.tokens = outcome.summary["tokens"]?.int ?? 0
    record.examples = run.plan.exampleCount
    record.trainableParameters = run.delta.parameterCount
    record.totalParameters = run.overview.totalParameters
    record.adapterBytes = Self.size(of: outcome.summary["output"]?.string ?? "")
    record.isMergeable = run.delta.method.isMergeable
    record.forgetting = forgetting?.rise()
    try? FileManager.default.removeItem(atPath: folder + "/checkpoints")
    return true
  }

  /// Returns the part of a recipe that determines a result.
  private static func determining(_ recipe: Recipe) -> Recipe {
    var copy = recipe
    (copy.outputDirectory, copy.report) = (nil, Recipe.Report())
    (copy.methods, copy.seeds, copy.learningRates) = (nil, nil, nil)
    (copy.training.saveSteps, copy.training.saveTotalLimit) = (nil, nil)
    return copy
  }

  private static func digest(of split: RecordSplit, and fingerprint: BaseFingerprint) throws -> String {
    let lines = (split.train + split.held).map { JSON.object($0.fields).serialized() }
    return SHA256.hash(([fingerprint.weightsSHA256 ?? "", fingerprint.tokenizerSHA256 ?? ""] + lines).joined(separator: "\n"))
  }

  private static func size(of path: String) -> Int {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else { return 0 }
    let files =
      isDirectory.boolValue
      ? ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).filter { $0.hasSuffix(".safetensors") }.map { "\(path)/\($0)" } : [path]
    return files.reduce(0) { $0 + (((try? FileManager.default.attributesOfItem(atPath: $1))?[.size] as? Int) ?? 0) }
  }

  private static var now: String { Date.now.formatted(.iso8601) }
}

extension ComparisonRecord {
  mutating func take(_ scores: ExampleScores, answers count: Int) {
    (metric, isHigherBetter) = (scores.metric, scores.isHigherBetter)
    self.scores = scores.values
    answers = Array(scores.answers.prefix(count))
  }

  /// A folder of its own for every run, whatever the method is called.
  fileprivate var folderName: String {
    let plain = name.map { $0.isASCII && ($0.isLetter || $0.isNumber || "-_=.".contains($0)) ? String($0) : "-" }.joined()
    return "\(plain)-seed\(seed)\(isTrial ? "-trial" : "")-\(key.prefix(8))"
  }
}

extension ComparisonRecord.Point {
  /// A line of `metrics.jsonl`; nil for one that tells of an evaluation.
  fileprivate init?(_ line: JSON) {
    guard let point = TrainingReport.Point(line) else { return nil }
    self.init(step: point.step, loss: point.loss, seconds: line["elapsed_seconds"]?.double ?? 0)
  }
}

extension Recipe {
  fileprivate var trainingJSON: JSON {
    get throws {
      var json = try ConfigTree(encoding: training).json
      if json["loss"]?.isNull == true { json["loss"] = nil }
      return json
    }
  }
}
