import GraftBatching
import Testing

@Suite struct StreamedStepsTests {
  private struct Fault: Error {}

  /// The steps that come of records with so many examples each, of these lengths.
  private func steps(_ planner: BatchPlanner, _ lengths: [[Int]], _ count: Int) throws -> [PlannedStep] {
    var steps = StreamedSteps(planner, recordCount: lengths.count) { records in
      records.flatMap { record in
        lengths[Int(record)].enumerated().map { .init(id: Int(record) + $0.offset * lengths.count, length: $0.element) }
      }
    }
    var found: [PlannedStep] = []
    while found.count < count, let step = try steps.next() { found.append(step) }
    return found
  }

  @Test(arguments: [nil, 3] as [UInt64?])
  func stepsAreThoseOfAPlanWhereARecordIsAnExample(seed: UInt64?) throws {
    let count = 2 * StreamedSteps.portionSize + 77
    let planner = BatchPlanner(batchSize: 5, gradientAccumulationSteps: 3, shuffle: seed)
    let plan = planner.plan(lengths: Array(repeating: 4, count: count))
    let wanted = 2 * plan.stepsPerEpoch + 1
    #expect(try steps(planner, Array(repeating: [4], count: count), wanted) == Array(plan.steps(0..<wanted)))
  }

  @Test func packedRowsHoldTheirCapacityAndEveryExampleOnce() throws {
    let lengths = (0..<3000).map { record in (0..<(record % 3)).map { 1 + (record * 37 + $0 * 11) % 64 } }
    let planner = BatchPlanner(batchSize: 1, packing: 64, shuffle: 9)
    let found = try steps(planner, lengths, 6000)
    for epoch in 0..<2 {
      let rows = found.filter { $0.epoch == epoch }.flatMap(\.microBatches)
      let expected = lengths.indices.flatMap { record in lengths[record].indices.map { record + $0 * lengths.count } }
      #expect(rows.flatMap { $0 }.sorted() == expected.sorted())
      for row in rows { #expect(row.reduce(0) { $0 + lengths[$1 % 3000][$1 / 3000] } <= 64) }
      // A portion is packed for itself: its last row alone may be far from full.
      let tokens = lengths.joined().reduce(0, +)
      #expect(rows.count <= tokens / 64 + tokens / 640 + 6)
    }
    #expect(found.map(\.index) == Array(0..<found.count))
    #expect(found.first { $0.epoch == 1 }?.microBatches != found.first?.microBatches)
  }

  @Test func sharesOfAnEpochGrowToWholes() throws {
    let found = try steps(BatchPlanner(batchSize: 2, packing: 10, shuffle: 1), Array(repeating: [3], count: 2500), 900)
    #expect(zip(found, found.dropFirst()).allSatisfy { $0.epochsCompleted <= $1.epochsCompleted })
    #expect(found.last { $0.epoch == 0 }?.epochsCompleted == 1)
  }

  @Test func nothingToLearnEndsTheStepsAndFaultsAreThrown() throws {
    #expect(try steps(BatchPlanner(batchSize: 2), [[], [], []], 5).isEmpty)
    var faulty = StreamedSteps(BatchPlanner(batchSize: 2), recordCount: 3) { _ in throw Fault() }
    #expect(throws: Fault.self) { try faulty.next() }
  }
}
