import GraftDatasets
import Testing

@Suite struct SeededSplitTests {
  @Test func splitsAreSeededDisjointAndComplete() throws {
    let (train, held) = try SeededSplit.indices(count: 100, fraction: 0.05, seed: 1)
    #expect(held.count == 5 && (train + held).sorted() == Array(0..<100))
    #expect(try SeededSplit.indices(count: 100, fraction: 0.05, seed: 1).held == held)
    #expect(try SeededSplit.indices(count: 100, fraction: 0.05, seed: 2).held != held)
    #expect(try SeededSplit.indices(count: 2, fraction: 0.99, seed: 0).train.count == 1)
    #expect(throws: DatasetError.self) { try SeededSplit.indices(count: 1, fraction: 0.5, seed: 0) }
  }

  /// The share of every number of examples, rounded to the nearest whole number, halves up: in whole numbers, without a `Double`.
  @Test(arguments: [(1, 20), (1, 10), (3, 20), (1, 8), (1, 4), (1, 3), (3, 8), (1, 2), (5, 8), (2, 3), (3, 4), (9, 10), (19, 20)])
  func sizesAreRoundedToTheNearest(numerator: Int, denominator: Int) throws {
    for count in 2...250 {
      let twice = 2 * count * numerator
      // Where a half is not a binary fraction it may fall on either side.
      let isHalf = twice % (2 * denominator) == denominator
      let isBinary = denominator.nonzeroBitCount == 1
      guard !isHalf || isBinary else { continue }
      let expected = min(max((twice + denominator) / (2 * denominator), 1), count - 1)
      let (train, held) = try SeededSplit.indices(count: count, fraction: Double(numerator) / Double(denominator), seed: UInt64(count))
      #expect(held.count == expected, "\(numerator)/\(denominator) of \(count)")
      #expect(train.count == count - expected)
      #expect(train == train.sorted() && held == held.sorted())
      #expect(Set(train).union(held) == Set(0..<count))
    }
  }

  /// Every example is as likely to be held out as any other.
  @Test func heldExamplesAreDrawnEvenly() throws {
    var counts = [Int](repeating: 0, count: 20)
    for seed in 0..<2000 {
      for index in try SeededSplit.indices(count: 20, fraction: 0.25, seed: UInt64(seed)).held { counts[index] += 1 }
    }
    // 19 degrees of freedom: above 43.8 once in a thousand.
    let chiSquare = counts.reduce(0.0) { $0 + (Double($1) - 500) * (Double($1) - 500) / 500 } * 20 / 19
    #expect(chiSquare < 43.8 * 0.75, "\(counts)")
  }
}
