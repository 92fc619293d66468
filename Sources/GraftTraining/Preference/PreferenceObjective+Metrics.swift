import GraftBatching
import GraftLayers

extension PreferenceObjective {
  /// The metrics of a model on batches of compared answers, `loss` first, of which nothing is kept: the implied rewards of better and worse
  /// answers, their difference, the share that they tell apart, and how far the model is from its reference.
  ///
  /// - Parameters:
  ///   - communicator: the processes that evaluate together, each of which is given all batches.
  ///   - isInterrupted: asked before every batch; true leaves out those that are left, so that the metrics say nothing.
  /// - Throws: what the communicator throws.
  public func metrics(
    of model: any LanguageModel, batches: some Sequence<Batch>, communicator: any Communicator = SingleProcess(),
    isInterrupted: @escaping () -> Bool = { false }
  ) throws -> MetricValues {
    var sums = [Double](repeating: 0, count: PreferenceVerdict.sumCount)
    for (index, batch) in batches.enumerated() where index % communicator.size == communicator.rank && !isInterrupted() {
      let found = verdict(on: model.predictions(trained(batch)).map(\.logProbability), of: batch, baseline: baseline(model, batch))
      for (place, value) in found.sums.enumerated() { sums[place] += value }
    }
    try communicator.sum(&sums)
    return PreferenceVerdict.metrics(sums, of: self)
  }

  /// For every example of a batch 1 where the implied rewards tell its answers apart, or agree with its label, and 0 where they do not.
  public func hits(of model: any LanguageModel, _ batch: Batch) -> [Double] {
    verdict(on: model.predictions(trained(batch)).map(\.logProbability), of: batch, baseline: 0).hits
  }
}
