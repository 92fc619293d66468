import CKernels

/// The keys and values that latent attention makes of its compressed rows (DeepSeek-AI 2024, "DeepSeek-V2", eq. 14 to 18).
///
/// - Parameters:
///   - joined: `[rows, heads * (plain + value)]`: each head's key without position and its value.
///   - rotaryKeys: `[rows, rotary]`, rotated, the same for all heads.
///   - heads: the number of heads.
///   - valueSize: the columns of a head's value.
/// - Returns: keys `[rows, heads * (plain + rotary)]` and values `[rows, heads * value]`.
public func latentKeysAndValues(_ joined: Tensor, _ rotaryKeys: Tensor, heads: Int, valueSize: Int) -> (keys: Tensor, values: Tensor) {
  let rows = joined.shape.rows
  let rotary = rotaryKeys.shape.columns
  let plain = joined.shape.columns / heads - valueSize
  precondition(joined.shape.columns == heads * (plain + valueSize) && rotaryKeys.shape.rows == rows, "\(joined.shape) with \(rotaryKeys.shape)")
  let keys = Tensor(uninitialized: [rows, heads * (plain + rotary)])
  let values = Tensor(uninitialized: [rows, heads * valueSize])
  let (k, v) = (keys.mutablePointer, values.mutablePointer)
  let (j, p) = (joined.pointer, rotaryKeys.pointer)
  // A head is one row of each buffer but the rotary one.
  let grain = rowGrain(columns: joined.shape.columns + rotary)
  parallel(over: rows, grain: grain) { part in
    for row in part {
      for head in row * heads..<(row + 1) * heads {
        (k + head * (plain + rotary)).update(from: j + head * (plain + valueSize), count: plain)
        (k + head * (plain + rotary) + plain).update(from: p + row * rotary, count: rotary)
        (v + head * valueSize).update(from: j + head * (plain + valueSize) + plain, count: valueSize)
      }
    }
  }
  let (joinedInput, rotaryInput) = (joined.slot, rotaryKeys.slot)
  let outputs = recorded("latentKeysAndValues", [keys, values], from: [joinedInput, rotaryInput]) { gradients, tape in
    let (dk, dv) = (gradients[0]?.pointer, gradients[1]?.pointer)
    tape.accumulateZeroed(into: joinedInput) { dj in
      parallel(over: rows, grain: grain) { part in
        for head in part.lowerBound * heads..<part.upperBound * heads {
          let to = dj + head * (plain + valueSize)
          if let dk { graft_accumulate(to, dk + head * (plain + rotary), plain) }
          if let dv { graft_accumulate(to + plain, dv + head * valueSize, valueSize) }
        }
      }
    }
    guard let dk else { return }
    tape.accumulateZeroed(into: rotaryInput) { dp in
      parallel(over: rows, grain: grain) { part in
        for row in part {
          for head in row * heads..<(row + 1) * heads { graft_accumulate(dp + row * rotary, dk + head * (plain + rotary) + plain, rotary) }
        }
      }
    }
  }
  return (outputs[0], outputs[1])
}

let latentSpecimens: [OperationSpecimen] = [
  OperationSpecimen("latentKeysAndValues", .init("joined", [5, 18]), .init("rotary", [5, 3])) {
    let (keys, values) = latentKeysAndValues($0[0], $0[1], heads: 3, valueSize: 4)
    return concatenateRows([keys.transposed, values.transposed]).transposed
  },
  OperationSpecimen("latentKeysAndValues, keys alone", .init("joined", [5, 18]), .init("rotary", [5, 3])) {
    latentKeysAndValues($0[0], $0[1], heads: 3, valueSize: 4).keys
  },
]
