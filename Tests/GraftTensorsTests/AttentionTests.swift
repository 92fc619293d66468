import Foundation
import GraftTensors
import Testing

/// Attention over more keys than a block has, and of a few queries.
@Suite(.serialized) struct AttentionTests {
  private static let stream = RandomStream(seed: 12)

  private func tensor(_ name: String, _ shape: Shape, in range: Range<Float> = -1..<1) -> Tensor {
    Self.stream.split(name).uniform(shape, in: range)
  }

  /// Attention and its gradients by query, key, value, bias and sinks, with everything that attention knows.
  private func everything(_ arithmetic: Execution.Arithmetic) -> [[Float]] {
    let options = AttentionOptions(heads: 4, keyValueHeads: 2, headSize: 8, valueSize: 6, scale: 0.4, softcap: 3, window: 700, dropout: 0.2)
    let names: [(String, Shape)] = [("q", [1210, 32]), ("k", [1210, 16]), ("v", [1210, 12]), ("bias", [4, 2399]), ("sinks", [4])]
    let inputs = names.map { Parameter(path: $0, value: tensor($0, $1), isTrainable: true) }
    let tape = Tape()
    let out = Execution(arithmetic: arithmetic).run {
      tape.record {
        attention(
          query: inputs[0].operand, key: inputs[1].operand, value: inputs[2].operand, options,
          spans: [AttentionSpan(0..<1150), AttentionSpan(1150..<1205)], mask: .prefix(lengths: [520, 3]), bias: DistanceBias(inputs[3].operand),
          sinks: inputs[4].operand, dropping: RandomStream(seed: 4))
      }
    }
    let gradients = tape.gradients(of: out, seed: tensor("seed", out.shape))
    return [out.values] + inputs.map { gradients[$0]?.values ?? [] }
  }

  @Test(arguments: Execution.Arithmetic.allCases) func anyNumberOfThreadsComputesTheSameBits(arithmetic: Execution.Arithmetic) {
    let threads = Threads.count
    defer { Threads.count = threads }
    let found = [1, 2, 3, 8].map { count in
      Threads.count = count
      return everything(arithmetic)
    }
    #expect(found.dropFirst().allSatisfy { $0 == found[0] })
    #expect(found[0].allSatisfy { !$0.isEmpty && $0.allSatisfy(\.isFinite) })
  }

  /// Rounded operands change every result by about the format's precision: by no more, and not by nothing.
  @Test(arguments: [(Execution.Arithmetic.bfloat16, 2e-2), (.float16, 3e-3)])
  func roundedOperandsChangeResultsByTheirPrecision(arithmetic: Execution.Arithmetic, bound: Double) {
    for (rounded, exact) in zip(everything(arithmetic), everything(.float32)) {
      let largest = exact.reduce(0) { max($0, abs($1)) }
      let error = zip(rounded, exact).reduce(0) { max($0, abs($1.0 - $1.1)) } / largest
      #expect(Double(error) < bound && Double(error) > bound / 1000)
    }
  }

  /// Attention of one head, causal, in double precision.
  private func exact(_ query: Tensor, _ key: Tensor, _ value: Tensor, scale: Double) -> [Double] {
    let (queries, keys, values) = (query.values.map(Double.init), key.values.map(Double.init), value.values.map(Double.init))
    let (size, width, lead) = (query.shape[1], value.shape[1], key.shape[0] - query.shape[0])
    return (0..<query.shape[0]).flatMap { row -> [Double] in
      let scores = (0...lead + row).map { key in (0..<size).reduce(0) { $0 + queries[row * size + $1] * keys[key * size + $1] } * scale }
      let largest = scores.max() ?? 0
      let weights = scores.map { exp($0 - largest) }
      let total = weights.reduce(0, +)
      return (0..<width).map { column in weights.enumerated().reduce(0) { $0 + $1.element / total * values[$1.offset * width + column] } }
    }
  }

  /// The largest score may come late, and leave next to nothing to the blocks before.
  @Test func everyBlockMayHaveTheLargestScore() {
    let count = 1600
    let (query, value) = (tensor("q", [count, 4], in: 0..<1), tensor("v", [count, 3]))
    for growth in [-0.02, 0.02] as [Float] {
      let drift = Tensor((0..<count * 4).map { growth * Float($0 / 4) }, [count, 4])
      let key = tensor("k", [count, 4]) + drift
      let found = attention(
        query: query, key: key, value: value, AttentionOptions(heads: 1, headSize: 4, valueSize: 3, scale: 1), spans: [AttentionSpan(0..<count)],
        mask: .causal
      ).values
      #expect(zip(found, exact(query, key, value, scale: 1)).allSatisfy { abs(Double($0) - $1) < 2e-5 })
    }
  }

  /// A few queries read of a cache in 16 bits the numbers of a float32 cache, rounded on the way.
  @Test(arguments: [Execution.Arithmetic.bfloat16, .float16], [1, 2, 5, 8, 40])
  func cachesIn16BitsAreReadAsTheyAre(arithmetic: Execution.Arithmetic, queries: Int) {
    let format: ElementFormat = arithmetic == .bfloat16 ? .bfloat16 : .float16
    let options = AttentionOptions(heads: 2, keyValueHeads: 1, headSize: 20, valueSize: 12)
    let (query, key, value) = (tensor("q", [queries, 40]), tensor("k", [800, 20]), tensor("v", [800, 12]))
    for keys in [KeyRows(30..<700), KeyRows([700..<790, 3..<40, 90..<620])] {
      func attended(_ key: Tensor, _ value: Tensor) -> [Float] {
        Execution(arithmetic: arithmetic).run {
          attention(
            query: query, key: key, value: value, options, spans: [AttentionSpan(queries: 0..<queries, keys: keys)], mask: .causal
          ).values
        }
      }
      let stored = attended(key.converted(to: format), value.converted(to: format))
      #expect(attended(key, value) == stored)
      var rows: [Int32] = []
      keys.forEachRun { run, _ in rows += run.map(Int32.init) }
      func rounded(_ x: Tensor) -> Tensor { x.converted(to: format).converted(to: .float32) }
      let (roundedKey, roundedValue) = (gatherRows(rounded(key), Tensor(rows)), gatherRows(rounded(value), Tensor(rows)))
      for head in 0..<2 {
        let expected = exact(rounded(query).columns(head * 20..<head * 20 + 20), roundedKey, roundedValue, scale: Double(options.scale))
        for (index, value) in expected.enumerated() {
          let found = stored[index / 12 * 24 + head * 12 + index % 12]
          #expect(abs(Double(found) - value) < (arithmetic == .bfloat16 ? 1e-3 : 1e-4))
        }
      }
    }
  }
}
