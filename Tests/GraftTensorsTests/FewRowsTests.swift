import Foundation
import GraftTensors
import Testing

/// Products of a few rows, as decoding makes them: exact to the bit where nothing but their surroundings differ.
@Suite struct FewRowsTests {
  private static let stream = RandomStream(seed: 11)

  /// Columns that fill strips, registers and neither; terms that fill registers and do not, in one chunk and in several.
  static let sizes = [
    [1, 1000, 300], [2, 583, 128], [3, 700, 101], [4, 512, 129], [5, 77, 1000], [8, 2100, 37], [1, 7, 9], [1, 130, 1], [1, 9001, 131],
    [1, 120_003, 5], [6, 9001, 67],
  ]

  @Test(arguments: sizes, [WeightLayout.outputByInput, .inputByOutput])
  func productsAreThoseOfDoublePrecision(_ size: [Int], _ layout: WeightLayout) {
    let (m, n, k) = (size[0], size[1], size[2])
    let x = Self.stream.split("x").uniform([m, k], in: -1..<1)
    let w = Self.stream.split("w").uniform(layout == .outputByInput ? [n, k] : [k, n], in: -1..<1)
    let base = Self.stream.split("base").uniform([m, n], in: -1..<1)
    let y = linear(x, w, layout: layout, scale: 0.5, addingTo: base).values
    let z = linear(x, w, layout: layout, addingTo: base).values
    let (xs, ws, start) = (x.values, w.values, base.values)
    let tolerance = 2e-6 * Double(k).squareRoot()
    for row in 0..<m {
      for column in Array(stride(from: 0, to: n, by: max(1, n / 61))) + [n - 1] {
        let sum = (0..<k).reduce(0.0) {
          $0 + Double(xs[row * k + $1]) * Double(ws[layout == .outputByInput ? column * k + $1 : $1 * n + column])
        }
        #expect(abs(Double(y[row * n + column]) - 0.5 * sum - Double(start[row * n + column])) < tolerance)
        #expect(abs(Double(z[row * n + column]) - sum - Double(start[row * n + column])) < tolerance)
      }
    }
  }

  /// The bits of a row do not depend on the rows beside it, nor on the threads that share the columns.
  @Test(arguments: [WeightLayout.outputByInput, .inputByOutput], [ElementFormat.float32, .bfloat16, .float16])
  func aRowIsTheSameAmongOthers(_ layout: WeightLayout, _ format: ElementFormat) {
    let (n, k) = (1037, 860)
    let x = Self.stream.split("x").uniform([7, k], in: -1..<1)
    let w = Self.stream.split("w").uniform(layout == .outputByInput ? [n, k] : [k, n], in: -1..<1).converted(to: format)
    let threads = Threads.count
    defer { Threads.count = threads }
    Threads.count = 1
    let together = linear(x, w, layout: layout)
    for row in 0..<7 { #expect(linear(x.rows(row..<row + 1), w, layout: layout).values == together.rows(row..<row + 1).values) }
    for count in [2, 3, 8] {
      Threads.count = count
      #expect(linear(x, w, layout: layout).values == together.values)
    }
    // Widened on the way or before: the same products.
    #expect(linear(x, w.converted(to: .float32), layout: layout).values == together.values)
  }

  /// A query finds the same bits wherever its keys and values lie.
  @Test(arguments: [Int?.none, 9]) func keysInRunsAreKeysInARow(_ window: Int?) {
    let options = AttentionOptions(heads: 4, keyValueHeads: 2, headSize: 20, window: window)
    let key = Self.stream.split("key").uniform([100, 40], in: -1..<1)
    let value = Self.stream.split("value").uniform([100, 40], in: -1..<1)
    let runs = [[3..<4], [20..<41], [60..<61, 50..<52], [70..<99], [0..<2]].map { KeyRows($0) }
    let all = KeyRows(runs.flatMap { [$0.first] + $0.others })
    var order: [Int32] = []
    all.forEachRun { rows, before in
      #expect(before == order.count)
      order += rows.map(Int32.init)
    }
    #expect(order.count == all.count && !all.isContiguous)
    func attended(_ queries: Int, _ keys: KeyRows, _ key: Tensor, _ value: Tensor) -> [Float] {
      let query = Self.stream.split("query").uniform([queries, 80], in: -1..<1)
      return attention(
        query: query, key: key, value: value, options, spans: [AttentionSpan(queries: 0..<queries, keys: keys)], mask: .causal
      ).values
    }
    for queries in [1, 2, 40] {
      let joined = attended(queries, KeyRows(0..<order.count), gatherRows(key, Tensor(order)), gatherRows(value, Tensor(order)))
      #expect(attended(queries, all, key, value) == joined, "\(queries) queries")
    }
    // One query as it is among others, up to the order of sums.
    let alone = attended(1, all, key, value)
    let exact = singleQuery(Self.stream.split("query").uniform([1, 80], in: -1..<1).values, order.suffix(window ?? .max).map(Int.init), key, value)
    #expect(zip(alone, exact).allSatisfy { abs(Double($0) - $1) < 1e-5 })
  }

  /// Attention of one row in double precision.
  private func singleQuery(_ query: [Float], _ rows: [Int], _ key: Tensor, _ value: Tensor) -> [Double] {
    let (keys, values) = (key.values.map(Double.init), value.values.map(Double.init))
    return (0..<4).flatMap { head -> [Double] in
      let shared = head / 2 * 20
      let scores = rows.map { row in
        (0..<20).reduce(0.0) { $0 + Double(query[head * 20 + $1]) * keys[row * 40 + shared + $1] } / 20.0.squareRoot()
      }
      let weights = scores.map { exp($0) }
      let total = weights.reduce(0, +)
      return (0..<20).map { column in
        zip(rows, weights).reduce(0.0) { $0 + $1.1 / total * values[$1.0 * 40 + shared + column] }
      }
    }
  }
}
