import GraftTensors
import Testing

/// Records with blocks that are recomputed.
func recompute(on tape: Tape, _ body: () -> Tensor) -> Tensor { Execution(recomputation: true).run { tape.record(body) } }

/// The rules of recording beyond single operations: several outputs, recomputation, operations of one's own.
@Suite struct RecordingTests {
  private func parameter(_ name: String, _ shape: Shape) -> Parameter {
    Parameter(path: name, value: RandomStream(seed: 3).split(name).normal(shape), isTrainable: true)
  }

  /// `(a + b, a * b)` as one operation of two outputs.
  private func sumAndProduct(_ a: Tensor, _ b: Tensor) -> [Tensor] {
    let (x, y) = (a.detached, b.detached)
    let (first, second) = (a.slot, b.slot)
    return recorded("sumAndProduct", [x + y, x * y], from: [first, second]) { gradients, tape in
      if let sum = gradients[0] {
        tape.accumulate(sum, into: first)
        tape.accumulate(sum, into: second)
      }
      if let product = gradients[1] {
        tape.accumulate(product * y, into: first)
        tape.accumulate(product * x, into: second)
      }
    }
  }

  @Test(arguments: [[0], [1], [0, 1], []])
  func severalOutputsGiveTheGradientsOfSingleOnes(used: [Int]) {
    func gradients(_ operation: (Tensor, Tensor) -> [Tensor]) -> [[Float]?] {
      let a = parameter("a", [2, 3])
      let b = parameter("b", [2, 3])
      let weight = parameter("weight", [2, 3])
      let tape = Tape()
      let loss = tape.record { () -> Tensor in
        let outputs = operation(a.operand, b.operand)
        return used.reduce(sum(weight.operand)) { $0 + sum(Float($1 + 2) * (outputs[$1] * weight.operand)) }
      }
      let gradients = tape.gradients(of: loss)
      return [a, b, weight].map { gradients[$0]?.values }
    }
    #expect(gradients(sumAndProduct) == gradients { [$0 + $1, $0 * $1] })
  }

  @Test func aRecomputationOfFrozenLayersIsNotRecorded() {
    let frozen = Parameter(path: "frozen", value: RandomStream(seed: 4).normal([4, 4]))
    let trained = parameter("trained", [4, 4])
    var runs = [0, 0]
    let x = RandomStream(seed: 5).normal([3, 4])
    let tape = Tape()
    let loss = recompute(on: tape) { () -> Tensor in
      let below = recomputed([x]) { inputs in
        runs[0] += 1
        return linear(inputs[0], frozen.operand)
      }
      #expect(tape.operations == [])
      let above = recomputed([below]) { inputs in
        runs[1] += 1
        return linear(inputs[0], trained.operand)
      }
      #expect(tape.operations == ["recomputed"])
      return sum(above)
    }
    let gradients = tape.gradients(of: loss)
    #expect(runs == [1, 2])
    #expect(gradients[trained] != nil)
  }

  @Test func recomputationsNest() {
    let w = parameter("w", [4, 4])
    let x = parameter("x", [3, 4])
    func gradients(_ wrap: @escaping ([Tensor], @escaping ([Tensor]) -> Tensor) -> Tensor) -> [[Float]?] {
      let tape = Tape()
      let loss = recompute(on: tape) {
        sum(wrap([x.operand]) { outer in wrap([linear(outer[0], w.operand)]) { activate($0[0], .tanh) } })
      }
      let gradients = tape.gradients(of: loss)
      return [w, x].map { gradients[$0]?.values }
    }
    #expect(gradients(recomputed) == gradients { $1($0) })
  }

  /// Whatever outputs are used of a recomputation with several, gradients are those of the body itself.
  @Test(arguments: [[0], [1], [0, 1], []]) func recomputationsHaveSeveralOutputs(used: [Int]) {
    let w = parameter("w", [4, 4])
    let x = parameter("x", [3, 4])
    let body: ([Tensor]) -> [Tensor] = { inputs in
      let hidden = activate(linear(inputs[0], w.operand), .tanh)
      return [hidden, hidden * inputs[0]]
    }
    func gradients(_ run: ([Tensor], @escaping ([Tensor]) -> [Tensor]) -> [Tensor]) -> [[Float]?] {
      let tape = Tape()
      let loss = recompute(on: tape) { () -> Tensor in
        let outputs = run([x.operand], body)
        return used.reduce(sum(x.operand)) { $0 + Float($1 + 2) * sum(outputs[$1]) }
      }
      let gradients = tape.gradients(of: loss)
      return [w, x].map { gradients[$0]?.values }
    }
    #expect(gradients(recomputed) == gradients { $1($0) })
  }

  @Test func aTensorCapturedFromAroundARecomputationStops() async {
    await #expect(processExitsWith: .failure) {
      let x = Parameter(path: "x", value: Tensor([1, 2], [1, 2]), isTrainable: true)
      let tape = Tape()
      _ = recompute(on: tape) { () -> Tensor in
        let captured = 2 * x.operand
        return recomputed([x.operand]) { $0[0] + captured }
      }
    }
  }

  @Test func aGradientOfAnotherShapeStops() async {
    await #expect(processExitsWith: .failure) {
      let x = Parameter(path: "x", value: Tensor([1, 2], [1, 2]), isTrainable: true)
      let tape = Tape()
      let y = tape.record {
        customOperation("wrong", of: [x.operand]) {
          $0[0]
        } pullback: { gradient, _, _ in
          [gradient.reshaped(to: [2, 1])]
        }
      }
      _ = tape.gradients(of: y, seed: Tensor([1, 1], [1, 2]))
    }
  }

  @Test func tooFewGradientsStop() async {
    await #expect(processExitsWith: .failure) {
      let x = Parameter(path: "x", value: Tensor([1, 2], [1, 2]), isTrainable: true)
      let tape = Tape()
      let y = tape.record {
        customOperation("wrong", of: [x.operand, x.operand]) {
          $0[0] + $0[1]
        } pullback: { gradient, _, _ in
          [gradient]
        }
      }
      _ = tape.gradients(of: y, seed: Tensor([1, 1], [1, 2]))
    }
  }

  /// An operation that forgets an input is stopped, rather than training nothing in silence.
  @Test func anInputWithoutAGradientStops() async {
    await #expect(processExitsWith: .failure) {
      let x = Parameter(path: "x", value: Tensor([1, 2]), isTrainable: true)
      let y = Parameter(path: "y", value: Tensor([1, 2]), isTrainable: true)
      let tape = Tape()
      let loss = tape.record { () -> Tensor in
        let (first, second) = (x.operand.slot, y.operand.slot)
        return sum(recorded("forgetful", x.value + y.value, from: first, second) { gradient, tape in tape.accumulate(gradient, into: first) })
      }
      _ = tape.gradients(of: loss)
    }
  }

  /// The matrix of an expert that no token was routed to has no gradient, as one that was never used.
  @Test func anIdleExpertHasNoGradient() {
    let matrices = (0..<3).map { parameter("\($0)", [4, 5]) }
    let routing = ExpertRouting([2, 0, 2, 0], choices: 1, of: 3)
    let tape = Tape()
    let loss = tape.record { () -> Tensor in
      let x = dispatchRows(RandomStream(seed: 1).normal([4, 5]), routing)
      return sum(expertLinear(x, .separate(matrices.map(\.matrix)), routing))
    }
    let gradients = tape.gradients(of: loss)
    #expect(matrices.map { gradients[$0] != nil } == [true, false, true])
  }

  @Test func anOperationOfOnesOwnMaySayThatAnInputDoesNotMatter() {
    let x = Parameter(path: "x", value: Tensor([1, 2]), isTrainable: true)
    let y = Parameter(path: "y", value: Tensor([1, 2]), isTrainable: true)
    let tape = Tape()
    let loss = tape.record { () -> Tensor in
      sum(
        customOperation("first", of: [x.operand, y.operand]) {
          $0[0]
        } pullback: { gradient, _, _ in
          [gradient, nil]
        })
    }
    let gradients = tape.gradients(of: loss)
    #expect(gradients[x]?.values == [1, 1] && gradients[y] == nil)
    #expect(gradients.parameters.map(\.path) == ["x"])
  }

  @Test func shapesOfTheSameSizeAreNotTheSame() async {
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([2, 6]) + Tensor.zeros([3, 4]) }
  }

  @Test func anOperationOfOnesOwnIsDifferentiated() {
    func cubed(_ x: Tensor) -> Tensor {
      customOperation("cubed", of: [x]) { inputs in
        Tensor(inputs[0].shape) { out in
          inputs[0].withElements { for index in $0.indices { out[index] = $0[index] * $0[index] * $0[index] } }
        }
      } pullback: { gradient, inputs, _ in
        [3 * (gradient * inputs[0] * inputs[0])]
      }
    }
    let x = Parameter(path: "x", value: Tensor([1, -2, 3]), isTrainable: true)
    let tape = Tape()
    let loss = tape.record { sum(cubed(x.operand)) }
    #expect(loss.scalar == 20)
    #expect(tape.gradients(of: loss)[x]?.values == [3, 12, 27])
  }
}
