import GraftTensors
import Testing

/// Gradients as values.
@Suite struct GradientsTests {
  private let w = Parameter(path: "w", value: Tensor([1, 2]), isTrainable: true)
  private let v = Parameter(path: "v", value: Tensor([3]), isTrainable: true)

  private func gradients(_ values: [(Parameter, [Float])]) -> Gradients {
    var gradients = Gradients()
    for (parameter, values) in values { gradients[parameter] = Tensor(values) }
    return gradients
  }

  @Test func sumsAreOfEveryParameterOfEither() {
    var sum = gradients([(w, [1, 2])])
    sum.add(gradients([(v, [5]), (w, [10, 20])]))
    #expect(sum[w]?.values == [11, 22] && sum[v]?.values == [5])
    #expect(sum.parameters.map(\.path) == ["w", "v"])
  }

  /// A value: what is added or scaled in place is never another's memory.
  @Test func copiesStandApart() {
    let original = gradients([(w, [3, 4])])
    var copy = original
    copy.scale(by: 2)
    copy.add(original)
    #expect(original[w]?.values == [3, 4] && copy[w]?.values == [9, 12])
  }

  @Test func theNormIsOfAllOrOfThoseAskedFor() {
    let gradients = gradients([(w, [2, 3]), (v, [6])])
    #expect(gradients.norm == 7)
    #expect(gradients.norm(over: [v]) == 6)
    #expect(Gradients().norm == 0)
  }

  /// Micro-batches add to one set of gradients: no second one of a parameter's size stays behind.
  @Test func microBatchesAddInPlace() {
    let w = Parameter(path: "w", value: RandomStream(seed: 1).normal([64, 64]), isTrainable: true)
    let x = RandomStream(seed: 2).normal([8, 64])
    func reverse(_ gradients: inout Gradients) {
      let tape = Tape()
      let loss = tape.record { sum(linear(x, w.operand)) }
      tape.addGradients(of: loss, to: &gradients)
    }
    var gradients = Gradients()
    reverse(&gradients)
    let address = gradients[w]?.withUnsafeBytes { $0.baseAddress }
    let one = gradients[w]?.values ?? []
    reverse(&gradients)
    #expect(gradients[w]?.withUnsafeBytes { $0.baseAddress } == address)
    #expect(gradients[w]?.values == one.map { 2 * $0 })
  }
}
