import CKernels

/// The softmax of every row.
///
/// - Parameter x: `[rows, columns]`.
/// - Returns: `[rows, columns]`.
public func softmax(_ x: Tensor) -> Tensor {
  let columns = x.shape.columns
  let rows = x.shape.rows
  let out = Tensor(uninitialized: x.shape)
  let o = out.mutablePointer
  let from = x.pointer
  parallel(over: rows, grain: rowGrain(columns: columns)) { part in
    graft_softmax_rows(o + part.lowerBound * columns, from + part.lowerBound * columns, part.count, columns)
  }
  let (input, saved) = (x.slot, Saved(out))
  return recorded("softmax", out, from: input) { (gradient: consuming Tensor, tape: Tape) in
    let out = saved.tensor
    let dx = gradient.reusedMemory()
    let d = dx.mutablePointer
    let dy = gradient.pointer
    let p = out.pointer
    parallel(over: rows, grain: rowGrain(columns: columns)) { part in
      let start = part.lowerBound * columns
      graft_softmax_rows_gradient(d + start, dy + start, p + start, part.count, columns)
    }
    tape.accumulate(dx, into: input)
  }
}

/// The logarithm of the sum of exponentials of every row.
///
/// - Parameter x: `[rows, columns]`.
/// - Returns: `[rows, 1]`.
public func logSumExp(_ x: Tensor) -> Tensor {
  let columns = x.shape.columns
  let rows = x.shape.rows
  let out = Tensor(uninitialized: [rows, 1])
  let o = out.mutablePointer
  let from = x.pointer
  parallel(over: rows, grain: rowGrain(columns: columns)) { part in
    for row in part { o[row] = graft_log_sum_exp(from + row * columns, columns) }
  }
  let saved = Saved(x)
  return recorded("logSumExp", out, from: x.slot) { gradient, tape in
    guard tape.tracks(saved.slot) else { return }
    let x = saved.tensor
    let dx = Tensor(uninitialized: x.shape)
    let d = dx.mutablePointer
    let dy = gradient.pointer
    let from = x.pointer
    parallel(over: rows, grain: rowGrain(columns: columns)) { part in
      graft_softmax_rows(d + part.lowerBound * columns, from + part.lowerBound * columns, part.count, columns)
      for row in part { graft_scale(d + row * columns, d + row * columns, dy[row], columns) }
    }
    tape.accumulate(dx, into: x)
  }
}

/// Every row over its sum: the weights of the experts that a token chose, renormalized.
///
/// - Parameters:
///   - x: `[rows, columns]`.
///   - epsilon: added to the sum.
/// - Returns: `[rows, columns]`.
public func normalizeRows(_ x: Tensor, epsilon: Float = 0) -> Tensor {
  let columns = x.shape.columns
  let rows = x.shape.rows
  let out = Tensor(uninitialized: x.shape)
  let sums = Tensor(uninitialized: [rows])
  let o = out.mutablePointer
  let s = sums.mutablePointer
  let from = x.pointer
  parallel(over: rows, grain: rowGrain(columns: columns)) { part in
    for row in part {
      s[row] = Float(graft_sum(from + row * columns, columns)) + epsilon
      for column in row * columns..<(row + 1) * columns { o[column] = from[column] / s[row] }
    }
  }
  let (input, savedOut, savedSums) = (x.slot, Saved(out), Saved(sums, exactly: true))
  return recorded("normalizeRows", out, from: input) { gradient, tape in
    tape.accumulateZeroed(into: input) { dx in
      let (out, sums) = (savedOut.tensor, savedSums.tensor)
      let dy = gradient.pointer
      let y = out.pointer
      let s = sums.pointer
      parallel(over: rows, grain: rowGrain(columns: columns)) { part in
        for row in part {
          let delta = Float(graft_dot(dy + row * columns, y + row * columns, columns))
          for column in row * columns..<(row + 1) * columns { dx[column] += (dy[column] - delta) / s[row] }
        }
      }
    }
  }
}

let softmaxSpecimens: [OperationSpecimen] = [
  OperationSpecimen("softmax", .init("x", [4, 7], in: -3..<3)) { softmax($0[0]) },
  OperationSpecimen("logSumExp", .init("x", [4, 7], in: -3..<3)) { logSumExp($0[0]) },
  OperationSpecimen("normalizeRows", .init("x", [4, 3], in: 0.1..<1)) { normalizeRows($0[0], epsilon: 0.01) },
]
