import GraftTensors
import Testing

@Suite struct MatrixProductTests {
  /// Shapes that are cut by rows, by columns, not at all, and as a matrix-vector product.
  @Test(arguments: [[1, 300, 70], [3, 5, 7], [700, 40, 90], [40, 900, 80], [257, 129, 65]])
  func linearMatchesDoublePrecision(sizes: [Int]) {
    let (rows, outputs, inputs) = (sizes[0], sizes[1], sizes[2])
    let stream = RandomStream(seed: 3)
    let x = stream.split("x").uniform([rows, inputs], in: -1..<1)
    let w = stream.split("w").uniform([outputs, inputs], in: -1..<1)
    let y = linear(x, w).values
    let xs = x.values
    let ws = w.values
    for row in stride(from: 0, to: rows, by: max(1, rows / 7)) {
      for column in stride(from: 0, to: outputs, by: max(1, outputs / 11)) {
        let exact = (0..<inputs).reduce(0.0) { $0 + Double(xs[row * inputs + $1]) * Double(ws[column * inputs + $1]) }
        #expect(abs(exact - Double(y[row * outputs + column])) < 1e-5)
      }
    }
  }

  /// Every way an operand can lie in memory, products that are deeper than a panel, packed slab by slab, and of matrices
  /// that are read where they are: small ones, and a large one that few rows are multiplied with.
  @Test(
    arguments: [
      [29, 70, 300], [600, 33, 1100], [5, 2100, 600], [130, 45, 7], [200, 90, 1024], [1024, 9, 77], [200, 104, 300], [9, 2048, 300], [150, 600, 512],
    ], 0..<4)
  func productMatchesDoublePrecision(sizes: [Int], transpositions: Int) {
    let (m, n, k) = (sizes[0], sizes[1], sizes[2])
    let (transposesFirst, transposesSecond) = (transpositions & 1 == 1, transpositions & 2 == 2)
    let stream = RandomStream(seed: 5)
    // Rows are longer than the product needs, so that a wrong distance between them shows.
    let a = stream.split("a").uniform(transposesFirst ? [k, m + 3] : [m, k + 3], in: -1..<1)
    let b = stream.split("b").uniform(transposesSecond ? [n, k + 5] : [k, n + 5], in: -1..<1)
    let before = stream.split("c").uniform([m, n], in: -1..<1)
    var out = before.values
    out.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      multiplyMatrices(
        m: m, n: n, k: k, alpha: 0.5, MatrixOperand(a.rawPointer, stride: a.shape[1], transposed: transposesFirst),
        MatrixOperand(b.rawPointer, stride: b.shape[1], transposed: transposesSecond), beta: 2, base, stride: n)
    }
    let (first, second, start) = (a.values, b.values, before.values)
    for row in Array(stride(from: 0, to: m, by: max(1, m / 9))) + [m - 1] {
      for column in Array(stride(from: 0, to: n, by: max(1, n / 13))) + [n - 1] {
        let sum = (0..<k).reduce(0.0) { sum, p in
          let x = first[transposesFirst ? p * (m + 3) + row : row * (k + 3) + p]
          let y = second[transposesSecond ? column * (k + 5) + p : p * (n + 5) + column]
          return sum + Double(x) * Double(y)
        }
        #expect(abs(0.5 * sum + 2 * Double(start[row * n + column]) - Double(out[row * n + column])) < 2e-5)
      }
    }
  }

  @Test(arguments: [ElementFormat.bfloat16, .float16])
  func sixteenBitWeightsEqualTheirWidenedCopy(dtype: ElementFormat) {
    let stream = RandomStream(seed: 4)
    let x = stream.split("x").uniform([33, 48], in: -1..<1)
    let w = stream.split("w").uniform([200, 48], in: -1..<1).converted(to: dtype)
    let close = zip(linear(x, w).values, linear(x, w.converted(to: .float32)).values).allSatisfy { abs($0 - $1) < 1e-5 }
    #expect(close)
  }

  /// One product of each kind: a row, few rows, many rows.
  @Test(arguments: [1, 5, 40])
  func baseIsAddedAndItsMemoryReusedOnlyWhenNobodyElseHoldsIt(rows: Int) {
    let x = Tensor(repeating: 2, shape: [rows, 3])
    let w = Tensor(repeating: 4, shape: [40, 3])
    var base = Tensor(repeating: 10, shape: [rows, 40])
    #expect(linear(x, w, addingTo: base).values == Array(repeating: 34, count: rows * 40))
    #expect(base.values == Array(repeating: 10, count: rows * 40))
    let address = base.rawPointer
    base = linear(x, w, addingTo: consume base)
    #expect(base.values == Array(repeating: 34, count: rows * 40))
    #expect(base.rawPointer == address)
  }
}
