import GraftTensors
import Testing

@Suite struct WeightedCrossEntropyTests {
  private let hidden = Tensor((0..<12).map { Float(($0 * 7) % 5) / 3 - 0.6 }, [4, 3])
  private let head = Tensor((0..<15).map { Float(($0 * 11) % 7) / 4 - 0.7 }, [5, 3])
  private let targets: [Int32] = [0, 4, 2, 2]

  private func loss(_ rows: [Int], weights: [Float]?) -> Float {
    let hidden = gatherRows(hidden, Tensor(rows.map(Int32.init)))
    return linearCrossEntropy(
      hidden, LogitProjection(head), targets: Tensor(rows.map { targets[$0] }), weights: weights.map { Tensor($0) }, scale: 0.25
    ).scalar
  }

  @Test func aWeightCountsARowAsOftenAsItSays() {
    #expect(abs(loss([0, 1, 2, 3], weights: [1, 0, 2, 3]) - loss([0, 2, 2, 3, 3, 3], weights: nil)) < 1e-6)
  }

  @Test func weightsOfOneChangeNoBit() {
    #expect(loss([0, 1, 2, 3], weights: [1, 1, 1, 1]) == loss([0, 1, 2, 3], weights: nil))
    let logits = linear(hidden, head)
    let ones = Tensor([1, 1, 1, 1] as [Float])
    #expect(
      crossEntropy(logits, targets: Tensor(targets), weights: ones, scale: 0.5).scalar
        == crossEntropy(logits, targets: Tensor(targets), scale: 0.5).scalar)
  }

  @Test func bothFormsAgree() {
    let weights = Tensor([0.5, 0, 2, 1] as [Float])
    let one = linearCrossEntropy(hidden, LogitProjection(head), targets: Tensor(targets), weights: weights).scalar
    #expect(abs(one - crossEntropy(linear(hidden, head), targets: Tensor(targets), weights: weights).scalar) < 1e-5)
  }
}
