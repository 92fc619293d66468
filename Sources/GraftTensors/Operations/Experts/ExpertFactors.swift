import CKernels

/// Columns that belong to experts in turn, as a matrix for each: PEFT's layout of the second factors of fused experts.
///
/// - Parameter b: `[out, rank * experts]`, with expert `e`'s column `k` at `k * experts + e`.
/// - Returns: `[experts, out, rank]`.
public func expertFactors(_ b: Tensor, experts: Int) -> Tensor {
  let outputs = b.shape.rows
  let rank = b.shape.columns / experts
  precondition(b.shape.columns == rank * experts, "\(b.shape) for \(experts) experts")
  let out = Tensor(uninitialized: [experts, outputs, rank])
  let o = out.mutablePointer
  let from = b.pointer
  parallel(experts) { expert in
    for row in 0..<outputs {
      for k in 0..<rank { o[(expert * outputs + row) * rank + k] = from[(row * rank + k) * experts + expert] }
    }
  }
  let input = b.slot
  return recorded("expertFactors", out, from: input) { gradient, tape in
    tape.accumulateZeroed(into: input) { db in
      let dy = gradient.pointer
      parallel(over: outputs, grain: rowGrain(columns: rank * experts)) { rows in
        for expert in 0..<experts {
          for row in rows {
            for k in 0..<rank { db[(row * rank + k) * experts + expert] += dy[(expert * outputs + row) * rank + k] }
          }
        }
      }
    }
  }
}

let expertFactorSpecimens: [OperationSpecimen] = [
  OperationSpecimen("expertFactors", .init("b", [4, 6])) { expertFactors($0[0], experts: 3) }
]
