import Foundation
import GraftAdapters
import GraftCheckpoints
import GraftConfiguration
import GraftDatasets
import GraftFiles
import GraftJSON
import GraftRecipes
import GraftReports
import GraftSessions
import GraftTensors
import GraftTraining

/// The runs of a comparison, and what tells them from others.
extension Comparison {
  /// - Returns: nil when the run was interrupted.
  func result(
    of method: Recipe.PlannedMethod, on base: MethodBase, seed: Int, rate: Double?, of split: RecordSplit, isTrial: Bool,
    _ isInterrupted: () -> Bool, _ onEvent: (ComparisonEvent) throws -> Void
  ) throws -> ComparisonRecord? {
    let own = method.recipe(seed: seed, learningRate: rate)
    let key = try RunKey.of(isTrial ? .trial : .run, own, digest: digest + base.digest)
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
      guard try train(own, on: base, of: split, into: &record, isInterrupted, onEvent) else { return nil }
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
    _ recipe: Recipe, on methodBase: MethodBase, of split: RecordSplit, into record: inout ComparisonRecord, _ isInterrupted: () -> Bool,
    _ onEvent: (ComparisonEvent) throws -> Void
  ) throws -> Bool {
    let base = try methodBase.get()
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
      if case .progress(let progress) = event { try onEvent(.progress(progress)) }
      guard case .training(let training) = event else { return }
      if case .logged(let line) = training {
        points.append(.init(step: line.step, loss: line.loss, seconds: line.elapsedSeconds, tokens: line.tokens))
      }
      try onEvent(.training(training))
    }
    guard !outcome.isInterrupted else { return false }
    // What training held at most, before the evaluation takes memory of its own.
    record.peakMemoryBytes = BufferPool.shared.statistics.peakBytesInUse + base.mappedBytes - methodBase.bytesBeside
    // Progress only tells: what a listener throws at it, the next event throws.
    let scores = try run.exampleScores { try? onEvent(.progress($0)) }
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
    if recipe.model == methods[0].recipe.model { record.forgetting = try forgetting?.rise(of: base.model) }
    record.take(base)
    try? FileManager.default.removeItem(atPath: folder + "/checkpoints")
    return true
  }

  static func digest(of split: RecordSplit, and fingerprint: BaseFingerprint) throws -> String {
    let records = split.train + split.held
    let lines = records.isLarge ? [try records.sha256] : try (0..<records.count).map { JSON.object(try records[$0].fields).serialized() }
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

  static var now: String { Date.now.formatted(.iso8601) }
}

extension ComparisonRecord {
  mutating func take(_ scores: ExampleScores, answers count: Int) {
    (metric, isHigherBetter) = (scores.metric, scores.isHigherBetter)
    self.scores = scores.values
    answers = Array(scores.answers.prefix(count))
  }

  /// Takes the facts of the model that a run trained.
  fileprivate mutating func take(_ base: TrainableBase) {
    model = base.name
    architecture = Architecture(of: base.model).json
    guard let outline = base.model.outline else { return }
    cache = Self.cacheLengths.map { CachePoint(length: $0, bytes: ElementFormat.float32.bytes(for: outline.kept(length: $0))) }
  }

  /// The lengths at which the memory of a cache is told.
  private static let cacheLengths = [0, 128, 256, 512, 1024, 2048, 3072, 4096]

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
    self.init(step: point.step, loss: point.loss, seconds: line["elapsed_seconds"]?.double ?? 0, tokens: line["tokens"]?.int ?? 0)
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
