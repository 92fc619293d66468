import GraftBatching
import GraftLayers
import GraftTensors
import Testing

/// Latent attention over rows that are kept compressed is latent attention over keys and values.
@Suite struct LatentAttentionTests {
  enum Change: String, CaseIterable, Sendable {
    case none, lowRank, other
  }

  private static let (hidden, heads, plain, rotary, value, rank) = (24, 3, 6, 4, 5, 8)

  private func layer(_ change: Change = .none) throws -> LatentAttention {
    let scope = Scope(source: nil, catalog: SiteCatalog(), seed: 9)
    func linear(_ name: String, _ inputs: Int, _ outputs: Int) throws -> Linear {
      try Linear(scope / name, in: inputs, out: outputs, initializer: .normal(standardDeviation: 0.5))
    }
    let expansion = try linear("expansion", Self.rank, Self.heads * (Self.plain + Self.value))
    let stream = RandomStream(seed: 12)
    switch change {
    case .none: break
    case .lowRank:
      expansion.adapter = ToyLowRank(
        LowRankTerm(
          a: stream.split("a").uniform([2, Self.rank], in: -1..<1), b: stream.split("b").uniform([expansion.outputSize, 2], in: -1..<1), scale: 0.7,
          dropout: 0))
    case .other: expansion.adapter = ToyDoubling()
    }
    return LatentAttention(
      scope, AttentionOptions(heads: Self.heads, headSize: Self.plain + Self.rotary, valueSize: Self.value), rotarySize: Self.rotary,
      query: .plain(try linear("query", Self.hidden, Self.heads * (Self.plain + Self.rotary))),
      compression: try linear("compression", Self.hidden, Self.rank + Self.rotary),
      latentNorm: try Norm(scope / "norm", width: Self.rank, epsilon: 1e-6),
      expansion: expansion, output: try linear("output", Self.heads * Self.value, Self.hidden))
  }

  /// The layer's rows for tokens that stand at `starts`.
  private func run(_ layer: LatentAttention, _ parts: [[Int32]], at starts: [Int], _ state: SequenceState? = nil) -> [[Float]] {
    let input = SequenceInput(parts, startingAt: starts)
    let x = gatherRows(RandomStream(seed: 8).uniform([9, Self.hidden], in: -1..<1), Tensor(input.tokens))
    let layout = input.layout(.causal, rotary: [RotaryFrequencies(rotatedSize: Self.rotary, base: 100)])
    let out = layer(x, layout, Pass(state: state)).values
    state?.advance(by: parts.map(\.count))
    return input.spans.map { Array(out[$0.start * Self.hidden..<($0.start + $0.count) * Self.hidden]) }
  }

  /// Prompts of different lengths, tokens one by one and several at once, sequences that part and go back.
  @Test(arguments: Change.allCases) func stepsAreOnePass(_ change: Change) throws {
    let layer = try layer(change)
    let state = SequenceState(sequences: 2)
    var texts: [[Int32]] = [[1, 2, 3, 4, 5], [6, 7]]
    _ = run(layer, texts, at: [0, 0], state)
    func add(_ new: [[Int32]]) {
      let starts = texts.map(\.count)
      texts = zip(texts, new).map { $0 + $1 }
      let step = run(layer, new, at: starts, state)
      for (index, text) in texts.enumerated() {
        let whole = run(layer, [text], at: [0])[0].suffix(step[index].count)
        #expect(zip(step[index], whole).allSatisfy { abs($0 - $1) < 1e-5 }, "\(change), sequence \(index) of \(texts)")
      }
    }
    add([[8], [0]])
    add([[1, 1, 2], [3]])
    state.select([1, 0, 0, 1])
    texts = [1, 0, 0, 1].map { texts[$0] }
    for token in 0..<6 { add((0..<4).map { [Int32(($0 * token + 1) % 9)] }) }
    #expect(state.truncate(to: 6))
    texts = texts.map { Array($0.prefix(6)) }
    add([[4], [5], [6], [7]])
  }

  /// Rows that are kept in 16 bits are those that products would round: the same bits in half of the memory.
  @Test(arguments: [Execution.Arithmetic.bfloat16, .float16], [Change.none, .other])
  func rowsAreKeptAsTheyAreMultiplied(_ arithmetic: Execution.Arithmetic, _ change: Change) throws {
    let layer = try layer(change)
    func written(exactly: Bool) -> (rows: [[[Float]]], bytes: Int) {
      Execution(arithmetic: arithmetic).run {
        let state = SequenceState(sequences: 1, keepsAllRows: exactly)
        let prompt = run(layer, [[1, 2, 3, 4, 5, 6, 7, 8]], at: [0], state)
        return ([prompt] + (8..<12).map { run(layer, [[Int32($0 % 9)]], at: [$0], state) }, state.byteCount)
      }
    }
    let (kept, exact) = (written(exactly: false), written(exactly: true))
    #expect(kept.rows == exact.rows)
    #expect(2 * kept.bytes == exact.bytes)
  }

  /// The cache takes at most a tenth of what keys and values take, at the published shape: 576 numbers for 40,960 (DeepSeek-V2, table 1).
  @Test func theCacheIsATenthAtMost() {
    let options = AttentionOptions(heads: 128, headSize: 128 + 64, valueSize: 128)
    let state = SequenceState(sequences: 1)
    state.reserve(64)
    let held = LatentState(sequences: 1)
    _ = held.append(latents: .zeros([64, 512]), rotaryKeys: .zeros([64, 64]), spans: [0..<64], of: state)
    let keysAndValues = 64 * 4 * (options.keyWidth + options.valueWidth)
    #expect(held.byteCount == 64 * 4 * (512 + 64))
    #expect(10 * held.byteCount <= keysAndValues)
  }
}

/// A low-rank adapter of given factors.
private final class ToyLowRank: LinearAdapter {
  let lowRankTerm: LowRankTerm?

  init(_ term: LowRankTerm) { lowRankTerm = term }

  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor {
    guard let term = lowRankTerm else { return base.plain(x) }
    return linear(linear(x, term.a), term.b, scale: term.scale, addingTo: base.plain(x))
  }

  func merge(into base: Linear) throws(TuningError) {}
}

/// An adapter that is no sum of products.
private final class ToyDoubling: LinearAdapter {
  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor { 2 * base.plain(x) }

  func merge(into base: Linear) throws(TuningError) {}
}
