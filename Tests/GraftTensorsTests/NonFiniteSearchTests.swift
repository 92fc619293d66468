import GraftTensors
import Testing

/// The operation and the tensor that first hold a number which is not finite, forward and on the way back.
@Suite struct NonFiniteSearchTests {
  private let w = Parameter(path: "layer.weight", value: Tensor([1, 0, 0, 1], [2, 2]), isTrainable: true)
  private let v = Parameter(path: "head.weight", value: Tensor([1, 1], [1, 2]), isTrainable: true)

  private func search(_ execution: Execution = Execution(), seed: Float = 1, _ loss: () -> Tensor) -> NonFiniteSearch.Finding? {
    let search = NonFiniteSearch()
    search.run {
      let tape = Tape()
      let loss = execution.run { tape.record(loss) }
      _ = tape.gradients(of: loss, seed: seed)
    }
    return search.finding
  }

  @Test func whatIsFiniteIsNotFound() {
    #expect(search { sum(linear(linear(Tensor([1, 2], [1, 2]), w.matrix), v.matrix)) } == nil)
  }

  @Test(arguments: [true, false]) func aWeightIsNamed(isTrainable: Bool) throws {
    let damaged = Parameter(path: "damaged.weight", value: Tensor([1, 2, .infinity, .nan], [2, 2]), isTrainable: isTrainable)
    let finding = try #require(search { sum(linear(linear(Tensor([1, 2], [1, 2]), w.matrix), damaged.matrix)) })
    #expect(finding.kind == .parameter(path: "damaged.weight", isTrainable: isTrainable) && finding.operation == nil && finding.index == 2)
    #expect("\(finding)" == "damaged.weight holds inf (row 1, column 0 of [2, 2])")
  }

  @Test func theFirstOutputIsNamedWithItsLayer() throws {
    let finding = try #require(search { sum(linear(activate(1e30 * linear(Tensor([0, 2e9], [1, 2]), w.matrix), .relu), v.matrix)) })
    #expect(finding.kind == .output && finding.place == "layer.weight" && finding.operation == "scale" && finding.value == .infinity)
    #expect(finding.shape == [1, 2] && finding.index == 1)
  }

  /// 70,000 is no float16: the product that rounds it is the first.
  @Test(arguments: [false, true]) func anOverflowOfFloat16IsNamed(recomputation: Bool) throws {
    func loss() -> Tensor {
      sum(recomputed([linear(Tensor([70_000, 1], [1, 2]), w.matrix)]) { linear(activate($0[0], .tanh), v.matrix) })
    }
    #expect(search(Execution(arithmetic: .bfloat16, recomputation: recomputation), loss) == nil)
    let finding = try #require(search(Execution(arithmetic: .float16, recomputation: recomputation), loss))
    #expect(finding.operation == "linear" && finding.place == "layer.weight" && finding.kind == .output)
  }

  @Test(arguments: [false, true]) func theFirstGradientIsNamed(recomputation: Bool) throws {
    // Forward all is small; the seed is the gradient of the loss.
    let finding = try #require(
      search(Execution(recomputation: recomputation), seed: 1e20) {
        sum(recomputed([linear(Tensor([1e-20, 0], [1, 2]), w.matrix)]) { 1e20 * linear(1e-20 * $0[0], v.matrix) })
      })
    #expect(finding.kind == .gradient(of: nil) && finding.operation == "scale" && finding.value == .infinity)
    #expect("\(finding)".hasPrefix("the way back through scale at head.weight gives inf"))
  }

  @Test func theGradientOfAWeightIsNamed() throws {
    let finding = try #require(search(seed: 1e20) { sum(linear(Tensor([1e20, 0], [1, 2]), w.matrix)) })
    #expect(finding.kind == .gradient(of: "layer.weight") && finding.operation == "linear" && finding.place == "layer.weight")
    #expect("\(finding)" == "the way back through linear at layer.weight gives inf (row 0, column 0 of [2, 2]) in the gradient of layer.weight")
  }

  /// Nothing is looked at outside of a search, nor after it.
  @Test func aSearchEndsWithItsBody() {
    let search = NonFiniteSearch()
    search.run {}
    _ = linear(Tensor([.infinity, 0], [1, 2]), w.matrix)
    #expect(search.finding == nil)
  }
}
