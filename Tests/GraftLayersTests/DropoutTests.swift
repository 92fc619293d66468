import GraftBatching
import GraftLayers
import GraftTensors
import Testing

/// Dropout's places and streams, counted on layers that give the same to every column.
@Suite struct DropoutTests {
  private static let width = 64, rows = 64

  /// A layer of zeros whose output is its bias, another in every place of the stack.
  private func layer(_ scope: Scope, bias value: Float) throws -> Linear {
    let layer = try Linear(scope, in: Self.width, out: Self.width, bias: true, initializer: .zeros)
    layer.bias?.assign(Tensor(repeating: value, shape: [Self.width]))
    return layer
  }

  /// Two blocks that add 1, 2, 4 and 8 to the residual stream.
  private func stack(_ dropout: Float, _ scope: Scope) throws -> TransformerStack {
    TransformerStack(
      try (0..<2).map { (number: Int) throws -> TransformerBlock in
        let scope = scope / number
        let size = Float(number == 0 ? 1 : 4)
        func linear(_ name: String, _ bias: Float = 0) throws -> Linear { try layer(scope / name, bias: bias) }
        return TransformerBlock(
          Residual(
            .before(try Norm(scope / "first", width: Self.width, epsilon: 1e-5)),
            Attention(
              scope / "attention", AttentionOptions(heads: 2, headSize: Self.width / 2),
              .separate(query: try linear("query"), key: try linear("key"), value: try linear("value")), output: try linear("output", size),
              dropout: dropout)),
          Residual(
            .before(try Norm(scope / "second", width: Self.width, epsilon: 1e-5)),
            FeedForward(
              .plain(up: try linear("up")), down: try linear("down", 2 * size), activation: Nonlinearity(.relu), dropout: dropout)))
      })
  }

  /// The set of the four sums that are in each element, as bits.
  private func bits(_ stack: TransformerStack, _ pass: Pass, keep: Float) -> [Int] {
    let layout = SequenceLayout(
      spans: [AttentionSpan(0..<Self.rows)], positions: (0..<Self.rows).map { Int32($0) }, mask: .causal)
    return stack(.zeros([Self.rows, Self.width]), layout, pass).values.map { Int((keep * $0).rounded()) }
  }

  @Test func everyResidualHasItsOwnMask() throws {
    let scope = Scope(source: nil, catalog: SiteCatalog())
    let stack = try stack(0.25, scope / "model")
    func bits(_ pass: Pass) -> [Int] { self.bits(stack, pass, keep: pass.isTraining ? 0.75 : 1) }
    let found = bits(Pass(isTraining: true, random: RandomStream(seed: 1)))
    let count = Double(found.count)
    func share(_ mask: Int) -> Double { Double(found.count { $0 & mask == mask }) / count }
    #expect(found.allSatisfy { (0..<16).contains($0) })
    for first in 0..<4 {
      // Four deviations of a share of 4,096.
      #expect(abs(share(1 << first) - 0.75) < 0.03, "bit \(first)")
      for second in 0..<first { #expect(abs(share(1 << first | 1 << second) - 0.5625) < 0.035, "bits \(first) and \(second)") }
    }
    #expect(bits(Pass(isTraining: true, random: RandomStream(seed: 1))) == found)
    #expect(Execution(recomputation: true).run { bits(Pass(isTraining: true, random: RandomStream(seed: 1))) } == found)
    #expect(bits(Pass(isTraining: true, random: RandomStream(seed: 2))) != found)
    #expect(bits(.inference).allSatisfy { $0 == 15 })
  }

  /// The probabilities themselves: uniform ones, with values that are unit vectors.
  @Test func attentionDropsProbabilities() throws {
    let n = 48
    let scope = Scope(source: nil, catalog: SiteCatalog())
    let one = (0..<n * n).map { $0 / n == $0 % n ? 1 as Float : 0 }
    let both = Tensor(one + one, [2 * n, n])
    func attention(_ name: String) throws -> Attention {
      func linear(_ part: String, _ inputs: Int, _ weight: Tensor? = nil) throws -> Linear {
        let layer = try Linear(scope / name / part, in: inputs, out: 2 * n, initializer: .zeros)
        if let weight { layer.weight.assign(weight) }
        return layer
      }
      let identity = Tensor((0..<4 * n * n).map { $0 / (2 * n) == $0 % (2 * n) ? 1 : 0 }, [2 * n, 2 * n])
      return Attention(
        scope / name, AttentionOptions(heads: 2, headSize: n, dropout: 0.25),
        .separate(query: try linear("query", n), key: try linear("key", n), value: try linear("value", n, both)),
        output: try linear("output", 2 * n, identity))
    }
    let first = try attention("first")
    let second = try attention("second")
    let layout = SequenceLayout(spans: [AttentionSpan(0..<n)], positions: (0..<n).map { Int32($0) }, mask: .bidirectional)
    func kept(_ attention: Attention, seed: UInt64) -> [Bool] {
      let pass = Pass(isTraining: true, random: RandomStream(seed: seed))
      return attention(Tensor(one, [n, n]), layout, pass).values.map { probability in
        let isKept = probability > 0
        #expect(abs(probability - (isKept ? 1 / (0.75 * Float(n)) : 0)) < 1e-6)
        return isKept
      }
    }
    /// The share of elements in which two masks agree: 0.25² + 0.75² where they are independent.
    func agreement(_ a: [Bool], _ b: [Bool]) -> Double { Double(zip(a, b).count { $0 == $1 }) / Double(a.count) }
    func columns(_ mask: [Bool], _ range: Range<Int>) -> [Bool] { mask.indices.filter { range.contains($0 % (2 * n)) }.map { mask[$0] } }

    let mask = kept(first, seed: 1)
    #expect(abs(Double(mask.count { $0 }) / Double(mask.count) - 0.75) < 0.03)
    #expect(kept(first, seed: 1) == mask)
    let heads = agreement(columns(mask, 0..<n), columns(mask, n..<2 * n))
    let rows = agreement(Array(mask.dropLast(2 * n)), Array(mask.dropFirst(2 * n)))
    for (name, found) in [
      ("pass", agreement(mask, kept(first, seed: 2))), ("layer", agreement(mask, kept(second, seed: 1))), ("head", heads), ("row", rows),
    ] { #expect(abs(found - 0.625) < 0.05, "another \(name)") }
    #expect(first(Tensor(one, [n, n]), layout, .inference).values.allSatisfy { abs($0 - 1 / Float(n)) < 1e-6 })
  }

  /// A decoder's attention to its source drops probabilities, too, with masks that are not those of its attention to itself.
  @Test func crossAttentionDropsProbabilities() throws {
    let n = 32
    let scope = Scope(source: nil, catalog: SiteCatalog())
    let one = Tensor((0..<n * n).map { $0 / n == $0 % n ? 1 : 0 }, [n, n])
    func linear(_ path: String, _ weight: Tensor? = nil) throws -> Linear {
      let layer = try Linear(scope / path, in: n, out: n, initializer: .zeros)
      if let weight { layer.weight.assign(weight) }
      return layer
    }
    func attention(_ name: String, _ place: Attention.Place) throws -> Attention {
      Attention(
        scope / name, place: place, AttentionOptions(heads: 1, headSize: n, dropout: 0.5),
        .separate(query: try linear(name + ".query"), key: try linear(name + ".key"), value: try linear(name + ".value", one)),
        output: try linear(name + ".output", one))
    }
    let cross = try attention("cross", .source)
    let own = try attention("own", .decoder)
    let input = SequenceInput([(0..<n).map { Int32($0) }])
    let embedding = try Embedding(scope / "tokens", entries: n, width: n)
    embedding.weight.assign(one)
    let pass = Pass(isTraining: true, random: RandomStream(seed: 6))
    let embedded = embedding.embedded(input, pass)
    let source = EncoderStates(embedded.rows, of: embedded)
    let layout = input.layout(.bidirectional, over: source)
    let found = cross(one, layout, pass).values
    let kept = found.count { $0 > 0 }
    #expect(found.allSatisfy { abs($0) < 1e-6 || abs($0 - 2 / Float(n)) < 1e-6 })
    #expect(abs(Double(kept) / Double(n * n) - 0.5) < 0.06)
    let agreeing = zip(found, own(one, layout, pass).values).count { ($0 > 0) == ($1 > 0) }
    #expect(abs(Double(agreeing) / Double(n * n) - 0.5) < 0.06)
    #expect(cross(one, layout, .inference).values.allSatisfy { abs($0 - 1 / Float(n)) < 1e-6 })
  }
}
