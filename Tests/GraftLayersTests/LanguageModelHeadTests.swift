import Foundation
import GraftLayers
import GraftTensors
import Testing

/// A head's logits, loss, log-probabilities and predictions are of one distribution.
@Suite struct LanguageModelHeadTests {
  private let hidden = RandomStream(seed: 1).uniform([6, 4], in: -3..<3)
  private let targets: [Int32] = [0, 8, 3, 3, 5, 1]

  private func makeLinear() throws -> Linear {
    try Linear(
      Scope(source: nil, catalog: SiteCatalog(), isTrainable: true) / "head", in: 4, out: 9, initializer: .normal(standardDeviation: 1))
  }

  @Test(arguments: [nil, 2 as Float], [1 as Float, 0.25])
  func allAreOfOneDistribution(softcap: Float?, scale: Float) throws {
    let linear = try makeLinear()
    let head = LanguageModelHead(linear, scale: scale, softcap: softcap)
    let plain = (scale * linear.plain(hidden)).values
    let logits = softcap.map { cap in plain.map { cap * tanh($0 / cap) } } ?? plain
    #expect(zip(head.logits(hidden, .inference).values, logits).allSatisfy { abs($0 - $1) < 1e-5 })
    let expected = targets.enumerated().map { row, target in
      let line = logits[row * 9..<(row + 1) * 9].map(Double.init)
      return Float(line[Int(target)] - log(line.map { exp($0) }.reduce(0, +)))
    }
    for adapted in [false, true] {
      linear.adapter = adapted ? Plain() : nil
      let found = head.logProbabilities(hidden, targets: Tensor(targets), .inference).values
      #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-5 })
      let predictions = head.predictions(hidden, targets: targets)
      #expect(zip(predictions, expected).allSatisfy { abs($0.logProbability - $1) < 1e-5 })
      let weights: [Float] = [1, 0, 0.5, 2, 1, 1]
      let loss = head.loss(hidden, targets: targets, weights: weights, .inference, scale: 0.5).scalar
      #expect(abs(loss + 0.5 * zip(expected, weights).reduce(0) { $0 + $1.0 * $1.1 }) < 1e-4)
    }
  }

  /// All read the matrix in the format of products where the head shares an exact table.
  @Test func aSharedTableIsReadInOneFormat() throws {
    let scope = Scope(source: nil, catalog: SiteCatalog(), frozenType: .bfloat16)
    let table = try (scope / "table").table("weight", [9, 4], .normal(standardDeviation: 1))
    let head = LanguageModelHead(Linear(scope / "head", sharing: table, role: .languageModelHead))
    let found = head.predictions(hidden, targets: targets).map(\.logProbability)
    let expected = head.logProbabilities(hidden, targets: Tensor(targets), .inference).values
    #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-6 })
  }

  /// The weighted sum of log-probabilities is the loss in its gradients, too.
  @Test(arguments: [nil, 2 as Float])
  func logProbabilitiesHaveTheGradientsOfTheLoss(softcap: Float?) throws {
    let linear = try makeLinear()
    let head = LanguageModelHead(linear, scale: 0.5, softcap: softcap)
    func gradient(_ body: (Tensor) -> Tensor) throws -> [Float] {
      let tape = Tape()
      let loss = tape.record { body(hidden) }
      return try #require(tape.gradients(of: loss)[linear.weight]).values
    }
    let direct = try gradient { head.loss($0, targets: targets, Pass(isTraining: true), scale: 0.25) }
    let composed = try gradient { -0.25 * sum(head.logProbabilities($0, targets: Tensor(targets), Pass(isTraining: true))) }
    #expect(zip(direct, composed).allSatisfy { abs($0 - $1) < 1e-5 })
    linear.adapter = Plain()
    let adapted = try gradient { -0.25 * sum(head.logProbabilities($0, targets: Tensor(targets), Pass(isTraining: true))) }
    #expect(zip(direct, adapted).allSatisfy { abs($0 - $1) < 1e-5 })
  }
}

/// An adapter that changes nothing, so that logits are made of the whole.
private final class Plain: LinearAdapter {
  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor { base.plain(x) }
  func merge(into base: Linear) {}
}
