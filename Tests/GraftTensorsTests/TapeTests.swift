import GraftTensors
import Testing

@Suite struct TapeTests {
  @Test func nothingIsRecordedBelowTheFirstTrainableParameter() {
    let frozen = Parameter(path: "frozen", value: Tensor([1, 2, 3, 4], [2, 2]))
    let trained = Parameter(path: "trained", value: Tensor([1, 0, 0, 1], [2, 2]), isTrainable: true)
    let tape = Tape()
    tape.record {
      let hidden = activate(linear(Tensor([1, 2], [1, 2]), frozen.operand), .silu)
      _ = sum(linear(hidden, trained.operand))
      #expect(tape.operations == ["parameter", "linear", "sum"])
    }
  }

  @Test func gradientsAccumulateOverReversePasses() {
    let p = Parameter(path: "p", value: Tensor([2, 3]), isTrainable: true)
    var gradients = Gradients()
    for _ in 0..<2 {
      let tape = Tape()
      let loss = tape.record { 0.5 * sum(p.operand * p.operand) }
      tape.addGradients(of: loss, to: &gradients)
    }
    #expect(gradients[p]?.values == [4, 6])
  }

  @Test func aTensorUsedTwiceGetsBothGradientsWithoutDisturbingTheOther() {
    let p = Parameter(path: "p", value: Tensor([1, 2]), isTrainable: true)
    let tape = Tape()
    let loss = tape.record { () -> Tensor in
      let x = 3 * p.operand
      let y = x + x
      return sum(y + x * Tensor([10, 20]))
    }
    #expect(tape.gradients(of: loss)[p]?.values == [36, 66])
  }

  /// Gradients are written over only where the tape holds them alone.
  @Test func aGradientThatTwoInputsShareIsNotWrittenOver() {
    let table = RotaryTable(positions: [1, 2], inverseFrequencies: [1])
    for operation: (Tensor) -> Tensor in [
      { activate($0, .silu) }, { gated($0, $0, .silu) }, { rotate($0, table, headSize: 2) },
    ] {
      let x = Parameter(path: "x", value: Tensor([1, 2, 3, 4], [2, 2]), isTrainable: true)
      let other = Parameter(path: "other", value: Tensor([0, 0, 0, 0], [2, 2]), isTrainable: true)
      let weights = Tensor([5, 6, 7, 8], [2, 2])
      let tape = Tape()
      let loss = tape.record { sum(weights * (operation(x.operand) + other.operand)) }
      #expect(tape.gradients(of: loss)[other]?.values == weights.values)
    }
  }

  /// Sequences of a batch have positions in common.
  @Test func rotaryTablesRepeatWithTheirPositions() {
    let table = RotaryTable(positions: [7, 3, 7, 4, 3], inverseFrequencies: [1, 0.25])
    let single = [7, 3, 7, 4, 3].map { RotaryTable(positions: [$0], inverseFrequencies: [1, 0.25]) }
    #expect(table.cosine.values == single.flatMap(\.cosine.values))
    #expect(table.sine.values == single.flatMap(\.sine.values))
  }

  @Test func recomputedGradientsEqualTheKeptOnes() {
    func gradient(recomputing: Bool) -> [[Float]] {
      let w = Parameter(path: "w", value: RandomStream(seed: 1).normal([6, 6]), isTrainable: true)
      let v = Parameter(path: "v", value: RandomStream(seed: 2).normal([5, 6]), isTrainable: true)
      let body: ([Tensor]) -> Tensor = { dropout(activate(linear($0[0], w.operand), .gelu), probability: 0.3, RandomStream(seed: 9)) }
      let tape = Tape()
      let loss = recompute(on: tape) { sum(recomputing ? recomputed([v.operand], body) : body([v.operand])) }
      let gradients = tape.gradients(of: loss)
      return [w, v].map { gradients[$0]?.values ?? [] }
    }
    #expect(gradient(recomputing: true) == gradient(recomputing: false))
  }

  /// A block that is recomputed on the way back leaves one entry behind, and holds no activations until then.
  @Test func recomputedKeepsNothingOfItsBody() {
    let w = Parameter(path: "w", value: RandomStream(seed: 1).normal([6, 6]), isTrainable: true)
    let tape = Tape()
    let loss = recompute(on: tape) { () -> Tensor in
      let hidden = recomputed([w.operand]) { activate(activate(linear($0[0], w.operand), .gelu), .silu) }
      return sum(hidden)
    }
    #expect(tape.operations == ["parameter", "recomputed", "sum"])
    let gradients = tape.gradients(of: loss)
    #expect(tape.operations.isEmpty)
    #expect(gradients[w] != nil)
  }

  @Test func steadyStateAsksTheSystemForNothing() {
    let w = Parameter(path: "w", value: RandomStream(seed: 1).normal([64, 64]), isTrainable: true)
    let x = RandomStream(seed: 2).normal([300, 64])
    func step() {
      let tape = Tape()
      let loss = tape.record { sum(rmsNorm(activate(linear(x, w.operand), .silu), weight: w.value.rows(0..<1), epsilon: 1e-5)) }
      _ = tape.gradients(of: loss)
    }
    for _ in 0..<3 { step() }
    // Other tests run beside this one: one undisturbed stretch is proof, and a step that allocates never has any.
    let isSteady = (0..<200).contains { _ in
      let before = BufferPool.shared.statistics.systemAllocations
      for _ in 0..<3 { step() }
      return BufferPool.shared.statistics.systemAllocations == before
    }
    #expect(isSteady)
  }
}
