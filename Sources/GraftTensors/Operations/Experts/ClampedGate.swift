import CKernels

/// `(up + 1) * gate * sigmoid(alpha * gate)` with clamped halves: the middle of gpt-oss's experts (OpenAI 2025, section 2.1).
///
/// - Parameters:
///   - x: `[rows, 2 * columns]`: gates in the even columns, at most `limit`, and ups in the odd ones, at most `limit` in magnitude.
/// - Returns: `[rows, columns]`.
public func clampedGate(_ x: Tensor, alpha: Float, limit: Float) -> Tensor {
  let rows = x.shape.rows
  let columns = x.shape.columns / 2
  let out = Tensor(uninitialized: x.shape.replacingColumns(with: columns))
  let o = out.mutablePointer
  let from = x.pointer
  parallel(over: rows, grain: rowGrain(columns: columns)) { part in
    let start = part.lowerBound * columns
    graft_clamped_gate(o + start, from + 2 * start, alpha, limit, part.count, columns)
  }
  let saved = Saved(x)
  return recorded("clampedGate", out, from: saved.slot) { gradient, tape in
    let x = saved.tensor
    let dx = Tensor(uninitialized: x.shape)
    let d = dx.mutablePointer
    let dy = gradient.pointer
    let from = x.pointer
    parallel(over: rows, grain: rowGrain(columns: columns)) { part in
      let start = part.lowerBound * columns
      graft_clamped_gate_gradient(d + 2 * start, dy + start, from + 2 * start, alpha, limit, part.count, columns)
    }
    tape.accumulate(dx, into: x)
  }
}

let clampedGateSpecimens: [OperationSpecimen] = [
  OperationSpecimen("clampedGate", .init("x", [4, 12], in: -2..<2)) { clampedGate($0[0], alpha: 1.702, limit: 1.25) }
]
