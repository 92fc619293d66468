import GraftBatching
import Testing

@Suite struct BatchPlannerTests {
  @Test func stepsNeverReachOverTheEndOfAnEpoch() {
    let plan = BatchPlanner(batchSize: 2, gradientAccumulationSteps: 2).plan(lengths: [1, 1, 1, 1, 1, 1, 1])
    #expect(plan.microBatchesPerEpoch == 4)
    #expect(plan.stepsPerEpoch == 2)
    #expect(plan.epoch(0).map(\.microBatches) == [[[0, 1], [2, 3]], [[4, 5], [6]]])
    let odd = BatchPlanner(batchSize: 2, gradientAccumulationSteps: 3).plan(lengths: [1, 1, 1, 1, 1, 1, 1])
    #expect(odd.epoch(1).map(\.microBatches) == [[[0, 1], [2, 3], [4, 5]], [[6]]])
    #expect(odd.epoch(1).map(\.index) == [2, 3])
    #expect(odd.epoch(1).map(\.epochsCompleted) == [1.75, 2])
  }

  @Test func resumingMidEpochContinuesTheSameSequence() {
    let plan = BatchPlanner(batchSize: 3, gradientAccumulationSteps: 2, packing: 16, shuffle: 7)
      .plan(lengths: (0..<50).map { 1 + $0 * 7 % 15 })
    let whole = Array(plan.steps(0..<40))
    #expect(whole.map(\.index) == Array(0..<40))
    #expect(Array(plan.steps(17..<40)) == Array(whole[17...]))
    #expect(Array(plan.steps(5..<5)).isEmpty)
  }

  @Test func everyEpochHoldsEveryExampleOnceInItsOwnOrder() {
    let plan = BatchPlanner(batchSize: 4, shuffle: 3).plan(lengths: Array(repeating: 2, count: 30))
    let orders = (0..<4).map { plan.epoch($0).flatMap { $0.microBatches.flatMap { $0 } } }
    for order in orders { #expect(order.sorted() == Array(0..<30)) }
    #expect(Set(orders).count == 4)
    let other = BatchPlanner(batchSize: 4, shuffle: 4).plan(lengths: Array(repeating: 2, count: 30))
    #expect(other.epoch(0).flatMap { $0.microBatches.flatMap { $0 } } != orders[0])
  }

  @Test(arguments: [nil, 1, 2] as [UInt64?])
  func packedRowsHoldTheirCapacityAndEveryExample(seed: UInt64?) {
    let lengths = (0..<200).map { 1 + ($0 * 37 + $0 * $0 * 11) % 64 }
    let plan = BatchPlanner(batchSize: 1, packing: 64, shuffle: seed).plan(lengths: lengths)
    for epoch in 0..<3 {
      let rows = plan.epoch(epoch).flatMap(\.microBatches)
      #expect(rows.count == plan.microBatchesPerEpoch)
      #expect(rows.flatMap { $0 }.sorted() == Array(0..<200))
      for row in rows { #expect(row.reduce(0) { $0 + lengths[$1] } <= 64) }
    }
    let leastRows = (lengths.reduce(0, +) + 63) / 64
    #expect(plan.microBatchesPerEpoch <= leastRows + leastRows / 5)
  }

  @Test func bestFitFillsTheFullestRowThatStillHolds() {
    let plan = BatchPlanner(batchSize: 1, packing: 10).plan(lengths: [6, 3, 4, 7, 12])
    #expect(plan.epoch(0).flatMap(\.microBatches) == [[0, 2], [1, 3], [4]])
  }

  @Test func fractionsOfAnEpochRoundUp() {
    let plan = BatchPlanner(batchSize: 2).plan(lengths: [1, 1, 1, 1, 1])
    #expect(plan.stepCount(epochs: 1) == 3)
    #expect(plan.stepCount(epochs: 1.5) == 5)
    #expect(Array(BatchPlanner(batchSize: 2).plan(lengths: []).steps(0..<9)).isEmpty)
  }

  /// Best fit decreasing as the paper has it: the longest document first, each into the fullest row that still holds it, the newest of equals.
  @Test(arguments: [1, 7, 40, 64, 1000])
  func packingEqualsThePlainAlgorithm(capacity: Int) {
    let lengths = (0..<300).map { ($0 * 37 + $0 * $0 * 11) % 71 }
    var rows: [(documents: [Int], room: Int, age: Int)] = []
    for (time, document) in lengths.indices.sorted(by: { (lengths[$0], $1) > (lengths[$1], $0) }).enumerated() {
      let length = min(lengths[document], capacity)
      let open = rows.indices.filter { rows[$0].room >= max(length, 1) }
      let best = open.min { (rows[$0].room, rows[$1].age) < (rows[$1].room, rows[$0].age) }
      if let best {
        rows[best] = (rows[best].documents + [document], rows[best].room - length, time)
      } else {
        rows.append(([document], capacity - length, time))
      }
    }
    let expected = rows.map { $0.documents.sorted() }.sorted { $0[0] < $1[0] }
    let plan = BatchPlanner(batchSize: 1, packing: capacity).plan(lengths: lengths)
    #expect(plan.epoch(0).flatMap(\.microBatches) == expected)
  }

  /// The order that runs had before: the indices shuffled, then the rows.
  @Test func ordersStayThoseOfEarlierRuns() {
    let packed = BatchPlanner(batchSize: 2, packing: 10, shuffle: 5).plan(lengths: [6, 3, 4, 7, 12, 1, 2, 9])
    #expect(packed.epoch(1).flatMap(\.microBatches) == [[2, 0, 3, 1], [5, 7, 6], [4]])
    let plain = BatchPlanner(batchSize: 3, shuffle: 5).plan(lengths: [6, 3, 4, 7, 12, 1, 2, 9])
    #expect(plain.epoch(2).flatMap(\.microBatches) == [[2, 5, 4], [3, 7, 6], [1, 0]])
  }
}
