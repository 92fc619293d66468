/// The arrangement of examples into micro-batches and of micro-batches into optimizer steps.
public struct BatchPlanner: Sendable, Hashable {
  /// Examples (or packed rows) of a micro-batch.
  public var batchSize: Int
  /// Micro-batches of an optimizer step.
  public var gradientAccumulationSteps: Int
  /// The most tokens of a packed row; nil for one example per row.
  public var packing: Int?
  /// The seed of every epoch's order; nil for the order of the file.
  public var shuffle: UInt64?

  /// - Parameters:
  ///   - packing: the most tokens of a packed row; nil for one example per row.
  ///   - shuffle: the seed of every epoch's order; nil for the order of the file.
  public init(batchSize: Int, gradientAccumulationSteps: Int = 1, packing: Int? = nil, shuffle: UInt64? = nil) {
    precondition(batchSize > 0 && gradientAccumulationSteps > 0, "batchSize, gradientAccumulationSteps: positive")
    self.batchSize = batchSize
    self.gradientAccumulationSteps = gradientAccumulationSteps
    self.packing = packing
    self.shuffle = shuffle
  }

  /// The plan for examples of these packed lengths.
  public func plan(lengths: [Int]) -> BatchPlan {
    BatchPlan(planner: self, lengths: lengths)
  }

  /// The plan for examples.
  public func plan(_ examples: [EncodedExample]) -> BatchPlan {
    plan(lengths: examples.map(\.packedLength))
  }
}

/// One optimizer step: which examples each of its micro-batches holds.
public struct PlannedStep: Sendable, Hashable {
  /// Counted from 0 over all epochs.
  public var index: Int
  /// Counted from 0.
  public var epoch: Int
  /// Epochs completed after this step, in micro-batches: 0.25 after the first quarter of the first epoch.
  public var epochsCompleted: Double
  /// Indices of examples, one list per micro-batch.
  public var microBatches: [[Int]]
}

/// The micro-batches and steps of every epoch over one dataset: a pure function of the planner, the lengths and the
/// epoch's number, so that training resumes exactly from any step.
///
/// A step never reaches over the end of an epoch: the last micro-batch and the last step of an epoch may be smaller.
public struct BatchPlan: Sendable {
  /// The planner that made it.
  public let planner: BatchPlanner
  /// The number of micro-batches of every epoch.
  public let microBatchesPerEpoch: Int
  /// The number of optimizer steps of every epoch.
  public let stepsPerEpoch: Int
  private let lengths: [Int]

  init(planner: BatchPlanner, lengths: [Int]) {
    self.planner = planner
    self.lengths = lengths
    // Best fit decreasing sees the lengths sorted: the number of rows is the same whatever the order of the examples.
    let rows = planner.packing.map { Packing.bestFitDecreasing(lengths, capacity: $0).count } ?? lengths.count
    microBatchesPerEpoch = rows.dividedRoundingUp(by: planner.batchSize)
    stepsPerEpoch = microBatchesPerEpoch.dividedRoundingUp(by: planner.gradientAccumulationSteps)
  }

  /// Returns the number of steps that `epochs` epochs take, a fraction of an epoch rounded up to whole steps.
  public func stepCount(epochs: Double) -> Int {
    Int((epochs * Double(stepsPerEpoch)).rounded(.up))
  }

  /// The steps of one epoch, in order.
  public func epoch(_ epoch: Int) -> [PlannedStep] {
    let microBatches = rows(ofEpoch: epoch).chunked(by: planner.batchSize).map { $0.flatMap { $0 } }
    var done = 0
    return microBatches.chunked(by: planner.gradientAccumulationSteps).enumerated().map { position, group in
      done += group.count
      return PlannedStep(
        index: epoch * stepsPerEpoch + position, epoch: epoch,
        epochsCompleted: Double(epoch) + Double(done) / Double(microBatches.count),
        microBatches: Array(group))
    }
  }

  /// The steps `range`, epochs following one another for as long as it takes; empty for an empty dataset.
  public func steps(_ range: Range<Int>) -> AnySequence<PlannedStep> {
    guard stepsPerEpoch > 0 else { return AnySequence([]) }
    let epochs = range.lowerBound / stepsPerEpoch..<range.upperBound.dividedRoundingUp(by: stepsPerEpoch)
    guard !epochs.isEmpty else { return AnySequence([]) }
    return AnySequence(epochs.lazy.flatMap { epoch($0) }.filter { range.contains($0.index) })
  }

  /// The rows of an epoch: the indices of the examples that share each.
  private func rows(ofEpoch epoch: Int) -> [[Int]] {
    guard let seed = planner.shuffle else {
      return planner.packing.map { Packing.bestFitDecreasing(lengths, capacity: $0) } ?? lengths.indices.map { [$0] }
    }
    var random = CounterRandom(seed: seed, stream: UInt64(epoch))
    let order = random.permutation(of: lengths.count)
    guard let capacity = planner.packing else { return order.map { [$0] } }
    let rows = Packing.bestFitDecreasing(order.map { lengths[$0] }, capacity: capacity)
    return random.permutation(of: rows.count).map { rows[$0].map { order[$0] } }
  }
}

extension Int {
  fileprivate func dividedRoundingUp(by divisor: Int) -> Int { (self + divisor - 1) / divisor }
}

extension Array {
  fileprivate func chunked(by size: Int) -> [ArraySlice<Element>] {
    stride(from: 0, to: count, by: size).map { self[$0..<Swift.min($0 + size, count)] }
  }
}
