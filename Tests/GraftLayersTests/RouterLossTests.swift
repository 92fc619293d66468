import GraftLayers
import GraftTensors
import Testing

@Suite("Losses of routers")
struct RouterLossTests {
  private let logits: [Float] = [1, 2, 3, 4, 4, 3, 2, 1, 0, 0, 1, 0]

  /// Leaves the logits of layers whose tokens go to two experts each, and their loads, as mixtures do.
  private func leave(_ layers: [Tensor], in outputs: AuxiliaryOutputs) {
    for (index, layer) in layers.enumerated() {
      outputs.leave(layer, as: "router logits")
      let routing = ExpertRouting(largestColumns(layer.detached, 2), choices: 2, of: 4)
      outputs.leave(ExpertLoad(path: "\(index)", rows: routing.loads))
    }
  }

  /// The losses without their coefficients; `total` is with them.
  private func losses(_ losses: RouterLosses, _ layers: [Tensor], total: Float) -> [Float] {
    let outputs = AuxiliaryOutputs()
    leave(layers, in: outputs)
    losses.add(to: outputs)
    #expect(outputs.take("router logits").isEmpty)
    #expect(abs((outputs.totalLoss?.scalar ?? .nan) - total) < 1e-5)
    #expect(outputs.losses.map(\.name) == (losses.balancing != 0 ? ["aux_loss"] : []) + (losses.stability != 0 ? ["z_loss"] : []))
    return outputs.losses.map(\.value.scalar)
  }

  /// Transformers' `load_balancing_loss_func` gives 2.066775 for these rows, and 2 for the first two: perfect balance is the number of choices.
  @Test func balanceIsTransformers() throws {
    let all = losses(RouterLosses(balancing: 1), [Tensor(logits, [3, 4])], total: 2.066775)
    #expect(abs(try #require(all.first) - 2.066775) < 1e-5)
    let two = losses(RouterLosses(balancing: 0.5), [Tensor(Array(logits.prefix(8)), [2, 4])], total: 1)
    #expect(abs(try #require(two.first) - 2) < 1e-6)
    // The layers' rows are those of one router.
    let parts = losses(
      RouterLosses(balancing: 1), [Tensor(Array(logits.prefix(8)), [2, 4]), Tensor(Array(logits.suffix(4)), [1, 4])], total: 2.066775)
    #expect(abs(try #require(parts.first) - 2.066775) < 1e-5)
  }

  /// A collector that serves several passes counts each one's rows alone.
  @Test func earlierPassesDoNotCount() throws {
    let outputs = AuxiliaryOutputs()
    for _ in 0..<2 {
      leave([Tensor(logits, [3, 4])], in: outputs)
      RouterLosses(balancing: 1).add(to: outputs)
    }
    #expect(outputs.losses.count == 2 && outputs.losses[0].value.scalar == outputs.losses[1].value.scalar)
  }

  @Test func stabilityIsTheMeanSquareOfLogSums() throws {
    let sums = [4.4401897, 4.4401897, 1.7436684]
    let expected = sums.reduce(0) { $0 + $1 * $1 } / 3
    let found = losses(RouterLosses(balancing: 0, stability: 0.25), [Tensor(logits, [3, 4])], total: Float(0.25 * expected))
    #expect(found.count == 1 && abs(Double(found[0]) - expected) < 1e-5)
  }

  /// A step down the balancing loss makes it smaller.
  @Test func balanceCanBeTrained() throws {
    let parameter = Parameter(path: "logits", value: Tensor(logits, [3, 4]), isTrainable: true)
    let both = RouterLosses(balancing: 1, stability: 0.1)
    func loss() -> Tensor {
      let outputs = AuxiliaryOutputs()
      leave([parameter.operand], in: outputs)
      both.add(to: outputs)
      return outputs.totalLoss ?? Tensor([0])
    }
    let tape = Tape()
    let before = tape.record { loss() }
    let gradient = try #require(tape.gradients(of: before)[parameter])
    parameter.assign(parameter.value - 0.05 * gradient)
    #expect(loss().scalar < before.scalar - 1e-3)
  }
}
