import GraftAdapters
import GraftBatching
import GraftDatasets
import GraftLayers
import GraftTraining

/// The log-probabilities that the reference gives the answers of a run's examples, computed once before the first step.
///
/// The reference is the base itself, with what is trained taken off: there is no second model. Where a run goes on from an adapter
/// (`method.init_from`), it is the base with that adapter.
final class ReferenceScores {
  private let run: ReferenceRun
  /// Two for every example, its own answer's and that of the one it is compared with.
  private var ofTraining: [Double]?
  /// The same of the examples held out.
  private(set) var evaluation: [Double]?
  /// The same of the examples by which weights are chosen.
  private(set) var selection: [Double]?

  init(_ run: ReferenceRun) { self.run = run }

  /// Returns what the reference says of some examples to train on.
  func train(_ examples: [Int]) -> [Double] { examples.flatMap { index in ofTraining.map { $0[2 * index..<2 * index + 2] } ?? [] } }

  /// Computes what is not known yet, or takes it from the cache.
  ///
  /// - Parameters:
  ///   - isTraining: true where the examples to train on are asked for, too.
  ///   - isInterrupted: asked between batches.
  /// - Returns: the number of answers that were computed, and of those that the cache had.
  /// - Throws: `TrainingLoop.Interruption` where it is interrupted, and what reading examples throws.
  @discardableResult
  func prepare(isTraining: Bool, isInterrupted: @escaping () -> Bool = { false }) throws -> (computed: Int, cached: Int) {
    var counts = (computed: 0, cached: 0)
    func scores(_ count: Int, _ example: @escaping (Int) throws -> EncodedExample) throws -> [Double] {
      let (values, isCached) = try run.scores(count, example, isInterrupted: isInterrupted)
      if isCached { counts.cached += values.count } else { counts.computed += values.count }
      return values
    }
    let data = run.data
    if isTraining, ofTraining == nil, case .known(let examples) = data.train {
      ofTraining = try scores(examples.count) { try data.example($0) }
    }
    if let held = data.evaluation, evaluation == nil { evaluation = try scores(held.examples.count) { held.examples[$0] } }
    if let chosen = data.selection, selection == nil {
      selection = chosen.examples == data.evaluation?.examples ? evaluation : try scores(chosen.examples.count) { chosen.examples[$0] }
    }
    return counts
  }
}

/// The means by which a reference is asked: the base without what is trained on it.
struct ReferenceRun {
  let settings: RunSettings
  let base: TrainableBase
  let model: any LanguageModel
  /// The part that is trained, and taken off meanwhile.
  let delta: Delta
  let data: RunData
  let communicator: any Communicator

  /// The log-probabilities of the answers of examples, two for each, and true where the cache had them.
  func scores(
    _ count: Int, _ example: (Int) throws -> EncodedExample, isInterrupted: () -> Bool
  ) throws -> (values: [Double], isCached: Bool) {
    let cache = try ReferenceCache(of: count, example, settings, base)
    // Every process computes its share, unless all of them find the same file.
    let found = cache?.values
    if try !communicator.any(found == nil), let found { return (found, true) }
    let values = try settings.recipe.training.precision.run { try withReference { try computed(count, example, isInterrupted) } }
    if communicator.rank == 0 { cache?.keep(values) }
    return (values, false)
  }

  private func computed(_ count: Int, _ example: (Int) throws -> EncodedExample, _ isInterrupted: () -> Bool) throws -> [Double] {
    let lengths = try (0..<count).map { try example($0).tokenCount }
    var values = [Double](repeating: 0, count: 2 * count)
    var isIncomplete = false
    for (number, group) in (0..<count).grouped(tokens: { lengths[$0] }).enumerated() where number % communicator.size == communicator.rank {
      isIncomplete = isInterrupted()
      if isIncomplete { break }
      let scores = model.answerLogProbabilities(Batch(collating: try group.map(example), objective: .answers))
      for (place, index) in group.enumerated() { values.replaceSubrange(2 * index..<2 * index + 2, with: scores[2 * place..<2 * place + 2]) }
    }
    if try communicator.any(isIncomplete) { throw TrainingLoop.Interruption() }
    try communicator.sum(&values)
    return values
  }

  /// Runs `body` while the base is the reference; what is trained is as it was afterwards, to the bit.
  private func withReference<R>(_ body: () throws -> R) throws -> R {
    delta.detach()
    let result = Result {
      let initial = settings.recipe.initialAdapter == nil ? nil : try base.attach(settings.recipe, from: nil)
      defer { initial?.detach() }
      return try body()
    }
    try delta.attach()
    return try result.get()
  }
}
