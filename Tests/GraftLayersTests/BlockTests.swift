import GraftBatching
import GraftLayers
import GraftTensors
import Testing

/// A block's arithmetic, from layers that are checked elsewhere.
@Suite struct BlockTests {
  private static let width = 6
  private let scope = Scope(source: nil, catalog: SiteCatalog(), isTrainable: true)
  private let x = RandomStream(seed: 4).uniform([5, width], in: -1..<1)

  private var layout: SequenceLayout { SequenceInput([[1, 2, 3], [4, 5]]).layout(.causal) }

  private func linear(_ path: String, in inputs: Int = width, out outputs: Int = width) throws -> Linear {
    try Linear(scope / path, in: inputs, out: outputs, initializer: .normal(standardDeviation: 0.5))
  }

  private func norm(_ path: String) throws -> Norm {
    let norm = try Norm(scope / path, width: Self.width, epsilon: 1e-5)
    norm.weight.assign(RandomStream(seed: 5).split(path).uniform([Self.width], in: 0.5..<1.5))
    return norm
  }

  private func isClose(_ a: Tensor, _ b: Tensor) -> Bool {
    a.shape == b.shape && zip(a.values, b.values).allSatisfy { abs($0 - $1) < 1e-5 }
  }

  @Test func normsStandWhereTheySay() throws {
    let f = Projected(try linear("layer"))
    let (first, second) = (try norm("first"), try norm("second"))
    func output(_ norms: Residual.Norms, multiplier: Float = 1) -> Tensor {
      TransformerStack([TransformerBlock(Residual(norms, f, multiplier: multiplier))])(x, layout, .inference)
    }
    let y = f.layer.plain(x)
    #expect(isClose(output(.none), x + y))
    #expect(isClose(output(.before(first)), x + f.layer.plain(first(x))))
    #expect(isClose(output(.after(first)), first(x + y)))
    #expect(isClose(output(.inside(first)), x + first(y)))
    #expect(isClose(output(.around(first, second)), x + second(f.layer.plain(first(x)))))
    #expect(isClose(output(.before(first), multiplier: 0.5), x + 0.5 * f.layer.plain(first(x))))
    #expect(isClose(output(.after(first), multiplier: 0.5), first(x + 0.5 * y)))
  }

  /// A residual adapter joins what the norm and the multiplier make of a sublayer's output, wherever the sum is made.
  @Test func residualAdaptersJoinWhatIsAdded() throws {
    let f = Projected(try linear("layer"))
    let (first, second) = (try norm("first"), try norm("second"))
    f.layer.residualAdapter = Doubling()
    func output(_ residual: Residual) -> Tensor { TransformerStack([TransformerBlock(residual)])(x, layout, .inference) }
    #expect(isClose(output(Residual(.before(first), f)), x + 2 * f.layer.plain(first(x))))
    #expect(isClose(output(Residual(.around(first, second), f)), x + 2 * second(f.layer.plain(first(x)))))
    #expect(isClose(output(Residual(.before(first), f, multiplier: 0.5)), x + f.layer.plain(first(x))))
  }

  @Test func parallelSublayersReadTheSameStates() throws {
    let (f, g) = (Projected(try linear("f")), Projected(try linear("g")))
    let (first, second) = (try norm("first"), try norm("second"))
    func output(_ norms: Residual.Norms, _ parallel: ParallelSublayers) -> Tensor {
      TransformerStack([TransformerBlock(Residual(norms, parallel))])(x, layout, .inference)
    }
    let shared = first(x)
    #expect(isClose(output(.before(first), ParallelSublayers([f, g])), x + f.layer.plain(shared) + g.layer.plain(shared)))
    let own = ParallelSublayers([(first, f as any Sublayer), (second, g)])
    #expect(isClose(output(.none, own), x + f.layer.plain(first(x)) + g.layer.plain(second(x))))
  }

  @Test func fusedGateAndUpAreTheTwoLayers() throws {
    let (gate, up, down) = (try linear("gate", out: 8), try linear("up", out: 8), try linear("down", in: 8))
    let fused = try linear("fused", out: 16)
    fused.weight.assign(concatenateRows([gate.weight.value, up.weight.value]))
    let separate = FeedForward(.gated(gate: gate, up: up), down: down, activation: Nonlinearity(.silu))
    let joined = FeedForward(.fused(fused), down: down, activation: Nonlinearity(.silu))
    #expect(isClose(joined(x, layout, .inference), separate(x, layout, .inference)))
  }

  /// The gradients of a stack whose sublayers leave statistics and losses, kept or recomputed.
  @Test func whatLayersLeaveReachesTheLoss() throws {
    let stack = TransformerStack(
      try (0..<3).map { TransformerBlock(Residual(.before(try norm("norms.\($0)")), Leaving(layer: try linear("layers.\($0)")))) })
    func gradients(leaving isLeaving: Bool, recomputation: Bool) -> (operations: [String], values: [[Float]]) {
      let tape = Tape()
      var pass = Pass(isTraining: true)
      let auxiliary = AuxiliaryOutputs()
      if isLeaving { pass.auxiliary = auxiliary }
      let loss = Execution(recomputation: recomputation).run {
        tape.record {
          let states = stack(x, layout, pass)
          let mean = sum(states)
          let statistics = auxiliary.take("squares")
          #expect(statistics.count == (isLeaving ? 3 : 0) && auxiliary.losses.count == statistics.count)
          return (statistics + [auxiliary.totalLoss].compactMap { $0 }).reduce(mean) { $0 + $1 }
        }
      }
      let operations = tape.operations
      let gradients = tape.gradients(of: loss)
      return (operations, scope.catalog.parameters.map { gradients[$0]?.values ?? [] })
    }
    let kept = gradients(leaving: true, recomputation: false)
    let recomputed = gradients(leaving: true, recomputation: true)
    #expect(kept.values == recomputed.values)
    #expect(kept.values != gradients(leaving: false, recomputation: false).values)
    #expect(gradients(leaving: false, recomputation: true).operations.count { $0 == "recomputed" } == 2)
  }
}

/// A linear layer as a sublayer.
private final class Projected: Sublayer {
  let layer: Linear

  init(_ layer: Linear) { self.layer = layer }

  var last: Linear? { layer }

  func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, _ pass: Pass, addingTo residual: consuming Tensor?) -> Tensor {
    layer(x, joining: residual, dropout: 0, pass)
  }
}

/// A linear layer that leaves the sum of its squared outputs, and a loss.
private struct Leaving: Sublayer {
  let layer: Linear

  var last: Linear? { layer }

  func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, _ pass: Pass, addingTo residual: consuming Tensor?) -> Tensor {
    let y = layer(x, pass)
    pass.auxiliary?.leave(sum(y * y), as: "squares")
    pass.auxiliary?.add(loss: 0.3 * sum(y), as: "sum")
    return residual.map { $0 + y } ?? y
  }
}

/// Adds what is added twice.
private final class Doubling: ResidualAdapter {
  func callAsFunction(_ y: Tensor, joining residual: Tensor, _ pass: Pass) -> Tensor { residual + 2 * y }
}
