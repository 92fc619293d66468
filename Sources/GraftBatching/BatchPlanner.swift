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
  public func epoch(_ epoch: Int) -> [PlannedStep] { Array(steps(epoch * stepsPerEpoch..<(epoch + 1) * stepsPerEpoch)) }

  /// The steps `range`, epochs following one another for as long as it takes; empty for an empty dataset.
  ///
  /// An epoch's order is made when its first step is asked for, and its steps one at a time.
  public func steps(_ range: Range<Int>) -> AnySequence<PlannedStep> {
    guard stepsPerEpoch > 0 else { return AnySequence([]) }
    let epochs = range.lowerBound / stepsPerEpoch..<range.upperBound.dividedRoundingUp(by: stepsPerEpoch)
    guard !epochs.isEmpty, !range.isEmpty else { return AnySequence([]) }
    return AnySequence(
      epochs.lazy.flatMap { epoch in
        let rows = rows(ofEpoch: epoch)
        return range.clamped(to: epoch * stepsPerEpoch..<(epoch + 1) * stepsPerEpoch).lazy.map { step($0, of: rows, epoch: epoch) }
      })
  }

  /// A step of an epoch whose rows are known.
  private func step(_ index: Int, of rows: RowList, epoch: Int) -> PlannedStep {
    let first = (index - epoch * stepsPerEpoch) * planner.gradientAccumulationSteps
    let microBatches = first..<min(first + planner.gradientAccumulationSteps, microBatchesPerEpoch)
    return PlannedStep(
      index: index, epoch: epoch, epochsCompleted: Double(epoch) + Double(microBatches.upperBound) / Double(microBatchesPerEpoch),
      microBatches: microBatches.map { batch in
        (batch * planner.batchSize..<min((batch + 1) * planner.batchSize, rows.count)).flatMap { rows[$0].map(Int.init) }
      })
  }

  /// The rows of an epoch: the indices of the examples that share each.
  private func rows(ofEpoch epoch: Int) -> RowList {
    guard let seed = planner.shuffle else {
      return planner.packing.map { Packing.bestFitDecreasing(lengths, capacity: $0) } ?? RowList(lengths.indices.map { Int32($0) })
    }
    var random = CounterRandom(seed: seed, stream: UInt64(epoch))
    let order = random.permutation(of: lengths.count)
    guard let capacity = planner.packing else { return RowList(order) }
    let rows = Packing.bestFitDecreasing(order.map { lengths[Int($0)] }, capacity: capacity)
    return rows.renaming(by: order).reordered(random.permutation(of: rows.count))
  }
}

extension Int {
  fileprivate func dividedRoundingUp(by divisor: Int) -> Int { (self + divisor - 1) / divisor }
}
