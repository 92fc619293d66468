import GraftTensors
import Testing

@Suite struct MatrixProductTests {
  /// Shapes that are cut by rows, by columns, not at all, and as a matrix-vector product.
  @Test(arguments: [[1, 300, 70], [3, 5, 7], [700, 40, 90], [40, 900, 80], [257, 129, 65]])
  func linearMatchesDoublePrecision(sizes: [Int]) {
    let (rows, outputs, inputs) = (sizes[0], sizes[1], sizes[2])
    let stream = RandomStream(seed: 3)
    let x = stream.split("x").uniform([rows, inputs], in: -1..<1), w = stream.split("w").uniform([outputs, inputs], in: -1..<1)
    let y = linear(x, w).values, xs = x.values, ws = w.values
    for row in stride(from: 0, to: rows, by: max(1, rows / 7)) {
      for column in stride(from: 0, to: outputs, by: max(1, outputs / 11)) {
        let exact = (0..<inputs).reduce(0.0) { $0 + Double(xs[row * inputs + $1]) * Double(ws[column * inputs + $1]) }
        #expect(abs(exact - Double(y[row * outputs + column])) < 1e-5)
      }
    }
  }

  @Test(arguments: [DType.bfloat16, .float16])
  func sixteenBitWeightsEqualTheirWidenedCopy(dtype: DType) {
    let stream = RandomStream(seed: 4)
    let x = stream.split("x").uniform([33, 48], in: -1..<1)
    let w = stream.split("w").uniform([200, 48], in: -1..<1).converted(to: dtype)
    let close = zip(linear(x, w).values, linear(x, w.converted(to: .float32)).values).allSatisfy { abs($0 - $1) < 1e-5 }
    #expect(close)
  }

  @Test func baseIsAddedAndItsMemoryReusedOnlyWhenNobodyElseHoldsIt() {
    let x = Tensor([1, 2], [1, 2]), w = Tensor([3, 4], [1, 2]), base = Tensor([10], [1, 1])
    #expect(linear(x, w, addingTo: base).values == [21])
    #expect(base.values == [10])
  }
}
