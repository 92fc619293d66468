/// The steps of a plan, one at a time: some plans come to know them as training goes on, and may fail at it.
public final class StepSequence {
  private let advance: () throws -> PlannedStep?

  /// Steps that `advance` makes, until it returns nil.
  public init(_ advance: @escaping () throws -> PlannedStep?) { self.advance = advance }

  /// Steps that are known.
  public convenience init(_ steps: some Sequence<PlannedStep>) {
    var iterator = steps.makeIterator()
    self.init { iterator.next() }
  }

  /// The next step; nil behind the last.
  public func next() throws -> PlannedStep? { try advance() }
}

/// Steps over records that become examples a portion at a time, so that training begins before all of them are known.
///
/// The records of an epoch are drawn in the order that a `BatchPlan` of as many examples would have; without packing, and where every record is one
/// example, the steps are that plan's. Packed are the examples of one portion at a time. Everything is a function of the planner, the epoch
/// and the records, so that a run goes on exactly from any step, for which the steps before it are made again.
public struct StreamedSteps {
  /// An example of a portion.
  public struct Example: Sendable {
    /// Its number, of which no other example of the epoch has the same.
    public var id: Int
    /// The room that it takes in a packed row.
    public var length: Int

    /// - Parameters:
    ///   - id: the example's number.
    ///   - length: the room that it takes in a packed row.
    public init(id: Int, length: Int) { (self.id, self.length) = (id, length) }
  }

  /// The number of records that are encoded, and packed, together.
  public static let portionSize = 1024

  private let planner: BatchPlanner
  private let recordCount: Int
  private let encode: ([Int32]) throws -> [Example]
  private var step = 0
  private var epoch = 0
  private var order: [Int32] = []
  /// The number of records of the epoch that were encoded.
  private var encoded = 0
  /// Rows that are in no step yet, and how many of them are.
  private var rows: [[Int]] = []
  private var taken = 0
  private var microBatches = 0
  private var isStarted = false

  /// - Parameters:
  ///   - recordCount: the number of records, at least one.
  ///   - encode: the examples of records, in their order.
  public init(_ planner: BatchPlanner, recordCount: Int, encode: @escaping ([Int32]) throws -> [Example]) {
    (self.planner, self.recordCount, self.encode) = (planner, recordCount, encode)
  }

  /// The next step; nil where no record has an example.
  ///
  /// - Throws: what encoding throws.
  public mutating func next() throws -> PlannedStep? {
    if !isStarted { start(epoch: 0) }
    let wanted = planner.batchSize * planner.gradientAccumulationSteps
    try fill(wanted)
    if rows.count == taken {
      // An epoch ends with its last row; one without any row is the last.
      guard microBatches > 0 else { return nil }
      start(epoch: epoch + 1)
      try fill(wanted)
    }
    let chosen = rows[taken..<min(taken + wanted, rows.count)]
    taken = chosen.endIndex
    // Whether the epoch ends here is known only where nothing is left of it.
    try fill(1)
    defer { step += 1 }
    let batches = stride(from: chosen.startIndex, to: chosen.endIndex, by: planner.batchSize).map { first in
      chosen[first..<min(first + planner.batchSize, chosen.endIndex)].flatMap { $0 }
    }
    microBatches += batches.count
    return PlannedStep(index: step, epoch: epoch, epochsCompleted: Double(epoch) + share, microBatches: batches)
  }

  private mutating func start(epoch: Int) {
    (self.epoch, encoded, rows, taken, microBatches, isStarted) = (epoch, 0, [], 0, 0, true)
    guard let seed = planner.shuffle else { return order = Array(0..<Int32(recordCount)) }
    var random = CounterRandom(seed: seed, stream: UInt64(epoch))
    order = random.permutation(of: recordCount)
  }

  /// Encodes portions until so many rows wait, or the epoch has no more.
  private mutating func fill(_ wanted: Int) throws {
    while rows.count - taken < wanted, encoded < recordCount {
      rows.removeFirst(taken)
      taken = 0
      let portion = encoded..<min(encoded + Self.portionSize, recordCount)
      let examples = try encode(Array(order[portion]))
      if let capacity = planner.packing {
        var packed = Packing.bestFitDecreasing(examples.map(\.length), capacity: capacity)
        if let seed = planner.shuffle {
          var random = CounterRandom(seed: seed, stream: UInt64(epoch), UInt64(portion.lowerBound))
          packed = packed.reordered(random.permutation(of: packed.count))
        }
        rows += (0..<packed.count).map { packed[$0].map { examples[Int($0)].id } }
      } else {
        rows += examples.map { [$0.id] }
      }
      encoded = portion.upperBound
    }
  }

  /// The share of the epoch that is done: in micro-batches, or in records where they are packed.
  private var share: Double {
    if encoded == recordCount, rows.count == taken { return 1 }
    if planner.packing != nil { return Double(encoded) / Double(recordCount) }
    return min(1, Double(microBatches) / Double((recordCount + planner.batchSize - 1) / planner.batchSize))
  }
}
