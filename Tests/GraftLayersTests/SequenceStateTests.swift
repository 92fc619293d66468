import GraftBatching
import GraftLayers
import GraftTensors
import Testing

/// Reading step by step, in any order of steps, must give what reading everything at once gives.
@Suite struct SequenceStateTests {
  enum Kind: String, CaseIterable, Sendable {
    case attention, window, prefix, windowedPrefix, recurrence, latent
  }

  private static let width = 8

  /// A layer of a kind, reading and writing `[rows, width]`.
  private func layer(_ kind: Kind, window: Int = 5) throws -> (Tensor, SequenceLayout, Pass) -> Tensor {
    let scope = Scope(source: nil, catalog: SiteCatalog(), seed: 4)
    switch kind {
    case .recurrence: return ToyRecurrence(path: "recurrence").callAsFunction
    case .latent: return ToyLatentAttention(path: "latent").callAsFunction
    case .attention, .window, .prefix, .windowedPrefix:
      func linear(_ name: String, _ outputs: Int) throws -> Linear {
        try Linear(scope / name, in: Self.width, out: outputs, initializer: .normal(standardDeviation: 0.6))
      }
      let isWindowed = kind == .window || kind == .windowedPrefix
      let attention = Attention(
        scope / "attention", AttentionOptions(heads: 2, keyValueHeads: 1, headSize: 4, window: isWindowed ? window : nil),
        .separate(query: try linear("q", 8), key: try linear("k", 4), value: try linear("v", 4)), output: try linear("o", Self.width))
      if kind == .prefix || kind == .windowedPrefix { attention.prefix = ToyPrefix(count: 3, width: 4) }
      return { attention($0, $1, $2) }
    }
  }

  /// The layer's rows for the given tokens of each sequence, which stand at `starts`.
  private func run(
    _ layer: (Tensor, SequenceLayout, Pass) -> Tensor, _ parts: [[Int32]], at starts: [Int], _ state: SequenceState? = nil
  ) -> [[Float]] {
    let input = SequenceInput(parts, startingAt: starts)
    let stream = RandomStream(seed: 8)
    let tokens = gatherRows(stream.split("tokens").uniform([9, Self.width], in: -1..<1), Tensor(input.tokens))
    let positions = gatherRows(stream.split("positions").uniform([13, Self.width], in: -1..<1), Tensor(input.positions.map { $0 % 13 }))
    let out = layer(tokens + positions, input.layout(.causal), Pass(state: state)).values
    return input.spans.map { Array(out[$0.start * Self.width..<($0.start + $0.count) * Self.width]) }
  }

  private func difference(_ a: [Float], _ b: some Collection<Float>) -> Float {
    a.count == b.count ? zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) } : .infinity
  }

  @Test(arguments: Kind.allCases, [UInt64(1), 2, 3]) func anyOrderOfStepsIsOnePass(_ kind: Kind, _ seed: UInt64) throws {
    let layer = try layer(kind)
    let stream = RandomStream(seed: seed)
    var draw = 0
    func below(_ count: Int) -> Int {
      draw += 1
      return min(count - 1, Int(stream.unit(at: draw) * Float(count)))
    }
    let state = SequenceState(sequences: 2)
    // Room that is known, and room that must be found.
    if seed == 2 { state.reserve(30) }
    var texts: [[Int32]] = [[], []]
    var refusals = 0
    var returns = 0
    for _ in 0..<60 {
      switch below(5) {
      case 0:
        let chosen = (0..<1 + below(4)).map { _ in below(texts.count) }
        state.select(chosen)
        texts = chosen.map { texts[$0] }
      case 1:
        let count = max(0, (texts.map(\.count).max() ?? 0) - below(below(3) == 0 ? 30 : 4))
        if state.truncate(to: count) {
          returns += 1
          texts = texts.map { Array($0.prefix(count)) }
        } else {
          refusals += 1
          #expect(state.lengths.allSatisfy { $0 == 0 })
          texts = texts.map { _ in [] }
        }
      default:
        let new = texts.map { _ in (0..<(below(6) == 0 ? 20 : 1 + below(3))).map { _ in Int32(below(9)) } }
        let starts = texts.map(\.count)
        texts = zip(texts, new).map { $0 + $1 }
        if kind == .prefix || kind == .windowedPrefix { reserve(state, 3) }
        let step = run(layer, new, at: starts, state)
        state.advance(by: new.map(\.count))
        for (index, text) in texts.enumerated() {
          let whole = run(layer, [text], at: [0])[0]
          #expect(difference(step[index], whole.suffix(step[index].count)) < 2e-5)
        }
      }
    }
    let canRefuse = kind == .window || kind == .windowedPrefix || kind == .recurrence
    #expect((refusals > 0) == canRefuse && returns > 0)
  }

  /// Says that so many virtual tokens stand before every sequence, as a model's embedding does.
  private func reserve(_ state: SequenceState, _ count: Int) {
    guard state.leadingRows == 0 else { return }
    state.reserve(leadingRows: count)
  }

  /// A window's memory is that of the window, and goes back over a few tokens.
  @Test func aWindowKeepsItsOwnRows() throws {
    let layer = try layer(.window)
    let state = SequenceState(sequences: 1)
    state.reserve(1000)
    let text = (0..<400).map { Int32($0 * $0 % 9) }
    var sizes: [Int] = []
    _ = run(layer, [Array(text[..<40])], at: [0], state)
    state.advance(by: [40])
    for place in 40..<400 {
      _ = run(layer, [[text[place]]], at: [place], state)
      state.advance(by: [1])
      sizes.append(state.byteCount)
    }
    // Keys and values of 16 bytes, for the window and twice the rows that can be taken back.
    let bound = 32 * (5 + 2 * 16)
    #expect(!sizes.isEmpty && sizes.allSatisfy { $0 <= bound })
    #expect(state.truncate(to: 388) && !state.truncate(to: 350))
    #expect(state.lengths == [0])
  }

  /// Keys and values that are kept in 16 bits are those that products would round: the same bits in half of the memory.
  @Test(arguments: [Kind.attention, .prefix], [Execution.Arithmetic.bfloat16, .float16])
  func rowsAreKeptAsTheyAreMultiplied(_ kind: Kind, _ arithmetic: Execution.Arithmetic) throws {
    let layer = try layer(kind)
    func written(exactly: Bool) -> (rows: [[[Float]]], bytes: Int) {
      Execution(arithmetic: arithmetic).run {
        let state = SequenceState(sequences: 1, keepsAllRows: exactly)
        if kind == .prefix { reserve(state, 3) }
        state.reserve(60)
        var rows: [[[Float]]] = []
        for part in [40, 1, 1, 12, 1] {
          rows.append(run(layer, [(0..<part).map { Int32($0 % 9) }], at: state.lengths, state))
          state.advance(by: [part])
        }
        return (rows, state.byteCount)
      }
    }
    let (kept, exact) = (written(exactly: false), written(exactly: true))
    #expect(kept.rows == exact.rows)
    #expect(2 * kept.bytes == exact.bytes)
  }

  /// Sequences that part share what they have in common, and a prefix is there once.
  @Test(arguments: [Kind.attention, .prefix, .latent]) func commonRowsAreHeldOnce(_ kind: Kind) throws {
    let layer = try layer(kind)
    let state = SequenceState(sequences: 1)
    if kind == .prefix { reserve(state, 3) }
    let prompt = (0..<300).map { Int32($0 % 9) }
    _ = run(layer, [prompt], at: [0], state)
    state.advance(by: [300])
    let alone = state.byteCount
    state.select(Array(repeating: 0, count: 8))
    for step in 0..<10 {
      _ = run(layer, (0..<8).map { [Int32($0)] }, at: state.lengths, state)
      state.advance(by: Array(repeating: 1, count: 8))
      state.select([1, 0, 2, 2, 4, 5, 7, Int(step) % 8])
    }
    // Ten steps of eight rows, and what is spare: eight copies would be eight times as much.
    #expect(state.byteCount < 2 * alone)
  }
}
