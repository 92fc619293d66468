/// Every row, a matrix of `size` rows laid end to end, transposed.
///
/// - Parameter x: `[rows, size * others]`, seen as `[rows, size, others]`.
/// - Returns: `[rows, others * size]`, which is `[rows, others, size]`.
public func transposeRows(_ x: Tensor, size: Int) -> Tensor {
  precondition(x.shape.columns % size == 0, "rows of \(x.shape) as matrices of \(size) rows")
  let input = x.slot
  let others = x.shape.columns / size
  return recorded("transposeRows", transposedRows(x, size), from: input) { gradient, tape in
    tape.accumulate(transposedRows(gradient, others), into: input)
  }
}

private func transposedRows(_ x: Tensor, _ size: Int) -> Tensor {
  let columns = x.shape.columns
  let others = columns / size
  let out = Tensor(uninitialized: x.shape)
  let o = out.mutablePointer
  let from = x.pointer
  parallel(over: x.shape.rows, grain: rowGrain(columns: columns)) { part in
    for row in part {
      let source = from + row * columns
      let target = o + row * columns
      for first in 0..<size {
        for second in 0..<others { target[second * size + first] = source[first * others + second] }
      }
    }
  }
  return out
}

let axisExchangeSpecimens: [OperationSpecimen] = [
  OperationSpecimen("transposeRows", .init("x", [3, 12])) { transposeRows($0[0], size: 3) }
]
