import GraftBatching
import GraftDatasets

/// The micro-batches of a run that an estimate is made of.
struct RunSample {
  /// The examples of micro-batches of all sizes that the first epoch has, the largest one last.
  var batches: [[EncodedExample]]
  /// The mean tokens of a micro-batch.
  var meanTokens: Double
  /// The micro-batches of a step.
  var microBatchesPerStep: Double

  /// The tokens of the largest micro-batch.
  var largestSize: Int { batches.last.map(Self.size) ?? 0 }

  /// The micro-batch that is nearest to the mean.
  var typical: [EncodedExample] {
    batches.min { abs(Double(Self.size(of: $0)) - meanTokens) < abs(Double(Self.size(of: $1)) - meanTokens) } ?? []
  }

  /// The mean tokens of an example.
  var meanLength: Int { Self.size(of: typical) / max(1, typical.count) }

  /// The tokens of examples, those of sources counted as well.
  static func size(of examples: [EncodedExample]) -> Int { examples.reduce(0) { $0 + size(of: $1) } }

  static func size(of example: EncodedExample) -> Int { example.tokens.count + (example.source?.count ?? 0) }
}

extension RunData {
  /// The most micro-batches that an estimate is made of. Memory that was taken for one size is seldom of use for another one, so that some of all
  /// sizes show what a run comes to hold.
  private static let sampledBatches = 12

  /// The micro-batches of the first epoch, or of the first steps where no more is known, that an estimate is made of.
  ///
  /// - Throws: what reading examples throws.
  func sample(_ plan: RunPlan) throws -> RunSample {
    switch train {
    case .known(let examples):
      guard let batches = plan.batches else { break }
      let counts = examples.tokenCounts
      let steps = Array(batches.steps(0..<max(1, min(plan.stepCount, batches.stepsPerEpoch))))
      let sized = steps.flatMap(\.microBatches).map { (size: $0.reduce(0) { $0 + counts[$1] }, examples: $0) }
      return try sample(sized, steps: steps.count) { try self.examples($0, ofEpoch: 0) }
    case .streamed(let stream):
      var sized: [(size: Int, examples: [EncodedExample])] = []
      var count = 0
      let steps = stream.steps(0..<max(1, min(plan.stepCount, 16)))
      while let step = try steps.next() {
        count += 1
        for batch in step.microBatches {
          let examples = batch.map(stream.example)
          sized.append((RunSample.size(of: examples), examples))
        }
      }
      return sample(sized, steps: count) { $0 }
    }
    return RunSample(batches: [], meanTokens: 0, microBatchesPerStep: 0)
  }

  private func sample<Examples>(
    _ batches: [(size: Int, examples: Examples)], steps: Int, _ read: (Examples) throws -> [EncodedExample]
  ) rethrows -> RunSample {
    let ordered = batches.sorted { $0.size < $1.size }
    let count = min(ordered.count, Self.sampledBatches)
    let chosen = (0..<count).map { ordered[count == 1 ? ordered.count - 1 : $0 * (ordered.count - 1) / (count - 1)] }
    let different = chosen.enumerated().filter { $0.offset == chosen.count - 1 || $0.element.size != chosen[$0.offset + 1].size }.map(\.element)
    return RunSample(
      batches: try different.map { try read($0.examples) },
      meanTokens: ordered.reduce(0.0) { $0 + Double($1.size) } / Double(max(1, ordered.count)),
      microBatchesPerStep: Double(ordered.count) / Double(max(1, steps)))
  }
}
