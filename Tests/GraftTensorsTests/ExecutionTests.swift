import GraftTensors
import Testing

/// The conditions of a thread, and that tapes keep them for the way back.
@Suite struct ExecutionTests {
  private let x = Parameter(path: "x", value: RandomStream(seed: 1).normal([20, 12]), isTrainable: true)
  private let w = Parameter(path: "w", value: RandomStream(seed: 2).normal([9, 12]), isTrainable: true)

  private func rounded(_ tensor: Tensor) -> Tensor { tensor.converted(to: .bfloat16).converted(to: .float32) }

  @Test func conditionsHoldWithinTheirBodyAndNest() {
    #expect(Execution.current == Execution())
    Execution(recomputation: true).run {
      #expect(Execution.current.recomputation)
      Execution(arithmetic: .bfloat16).run { #expect(Execution.current == Execution(arithmetic: .bfloat16)) }
      #expect(Execution.current == Execution(recomputation: true))
    }
    #expect(Execution.current == Execution())
  }

  /// Tensors that rest in 16 bits for other operations are no input of a second run, which would compute something else.
  @Test func aRecomputationRunsTwiceOnTheSameBits() {
    let x = Parameter(path: "x", value: Tensor([1.001, 70_000, -3.14159]), isTrainable: true)
    var seen: [[Float]] = []
    Execution(recomputation: true, savedForm: .converted(.float16)).run {
      let tape = Tape()
      let loss = tape.record {
        sum(
          recomputed([2 * x.operand]) { inputs -> Tensor in
            seen.append(inputs[0].values)
            return inputs[0] * inputs[0]
          })
      }
      #expect(tape.gradients(of: loss)[x] != nil)
    }
    #expect(seen.count == 2 && seen[0] == seen[1])
  }

  @Test func aBodyThatThrowsLeavesNoConditionsBehind() {
    struct Failure: Error {}
    #expect(throws: Failure.self) { try Execution(recomputation: true).run { throw Failure() } }
    #expect(Execution.current == Execution())
  }

  @Test(arguments: [1, 20]) func theArithmeticIsThatOfProducts(rows: Int) {
    let input = x.value.rows(0..<rows)
    let found = Execution(arithmetic: .bfloat16).run { linear(input, w.value) }
    let expected = linear(rounded(input), rounded(w.value))
    // Sums are those of float32, in the order of whichever tile computes them.
    #expect(zip(found.values, expected.values).allSatisfy { abs($0 - $1) < 1e-5 })
    #expect(found.values != linear(input, w.value).values)
  }

  /// The reverse pass runs outside of the body that recorded, under the conditions of each operation.
  @Test func theWayBackHasTheArithmeticOfTheWayForward() {
    func gradients(_ arithmetic: Execution.Arithmetic, _ seed: Tensor, recomputing: Bool = false) -> [[Float]?] {
      let tape = Tape()
      let y = Execution(arithmetic: arithmetic, recomputation: recomputing).run {
        tape.record { recomputed([x.operand]) { linear($0[0], w.operand) } }
      }
      let gradients = tape.gradients(of: y, seed: seed)
      return [x, w].map { gradients[$0]?.values }
    }
    let seed = RandomStream(seed: 3).normal([20, 9])
    let expected = [linear(rounded(seed), rounded(w.value), layout: .inputByOutput), linear(rounded(seed).transposed, rounded(x.value).transposed)]
    let found = gradients(.bfloat16, seed)
    for (values, expected) in zip(found, expected) {
      #expect(zip(values ?? [], expected.values).allSatisfy { abs($0 - $1) < 1e-4 } && values?.count == expected.elementCount)
    }
    #expect(found != gradients(.float32, seed))
    #expect(found == gradients(.bfloat16, seed, recomputing: true))
  }

  /// Two precisions on one tape: each product's gradient is computed as the product was.
  @Test func oneTapeMayHoldSeveralArithmetics() {
    func gradient(_ first: Execution.Arithmetic, _ second: Execution.Arithmetic) -> [Float]? {
      let v = RandomStream(seed: 5).normal([7, 9])
      let tape = Tape()
      let y = tape.record {
        let hidden = Execution(arithmetic: first).run { linear(x.operand, w.operand) }
        return Execution(arithmetic: second).run { linear(hidden, v) }
      }
      return tape.gradients(of: y, seed: RandomStream(seed: 4).normal([20, 7]))[x]?.values
    }
    let all = [gradient(.float32, .float32), gradient(.float32, .bfloat16), gradient(.bfloat16, .float32), gradient(.bfloat16, .bfloat16)]
    #expect(Set(all).count == 4)
  }
}
