import CKernels

/// `x / rms(x) * (weight + offset)` over the innermost axis (Zhang and Sennrich 2019, eq. 4).
///
/// - Parameters:
///   - x: `[rows, columns]`.
///   - weight: `[columns]`.
///   - offset: 0, or 1 for the families that store `weight - 1`.
/// - Returns: `[rows, columns]`.
public func rmsNorm(_ x: Tensor, weight: Tensor, offset: Float = 0, epsilon: Float) -> Tensor {
  let columns = weight.elementCount
  let rows = x.elementCount / columns
  precondition(x.shape.columns % columns == 0, "weight \(weight.shape) for \(x.shape)")
  let out = Tensor(uninitialized: x.shape)
  let deviations = Tensor(uninitialized: [rows])
  let o = out.mutablePointer
  let r = deviations.mutablePointer
  let from = x.pointer
  let w = weight.pointer
  parallel(over: rows, grain: rowGrain(columns: columns)) { part in
    let at = part.lowerBound * columns
    graft_rms_norm(o + at, r + part.lowerBound, from + at, w, offset, epsilon, part.count, columns)
  }
  let (savedInput, savedWeight, savedDeviations) = (Saved(x, exactly: true), Saved(weight), Saved(deviations, exactly: true))
  return recorded("rmsNorm", out, from: x.slot, weight.slot) { gradient, tape in
    let (x, weight, deviations) = (savedInput.tensor, savedWeight.tensor, savedDeviations.tensor)
    let dy = gradient.pointer
    let from = x.pointer
    let w = weight.pointer
    let r = deviations.pointer
    normGradient(of: x, weight: weight, bias: nil, rows: rows, columns: columns, on: tape) { dx, dw, _, add, part in
      let at = part.lowerBound * columns
      graft_rms_norm_gradient(dx + at, dw, dy + at, from + at, w, r + part.lowerBound, offset, add, part.count, columns)
    }
  }
}

/// `(x - mean(x)) / deviation(x) * weight + bias` over the innermost axis (Ba, Kiros and Hinton 2016, eq. 3).
///
/// - Parameters:
///   - x: `[rows, columns]`, or columns of several heads, each normalised by itself.
///   - weight: `[columns]`.
///   - bias: `[columns]`, or nil.
/// - Returns: a tensor of the shape of `x`.
public func layerNorm(_ x: Tensor, weight: Tensor, bias: Tensor?, epsilon: Float) -> Tensor {
  let columns = weight.elementCount
  let rows = x.elementCount / columns
  precondition(x.shape.columns % columns == 0, "weight \(weight.shape) for \(x.shape)")
  let out = Tensor(uninitialized: x.shape)
  let means = Tensor(uninitialized: [rows])
  let deviations = Tensor(uninitialized: [rows])
  let o = out.mutablePointer
  let m = means.mutablePointer
  let r = deviations.mutablePointer
  let from = x.pointer
  let w = weight.pointer
  let b = bias?.pointer
  parallel(over: rows, grain: rowGrain(columns: columns)) { part in
    let at = part.lowerBound * columns
    graft_layer_norm(o + at, m + part.lowerBound, r + part.lowerBound, from + at, w, b, epsilon, part.count, columns)
  }
  let biasInput = bias?.slot
  let (savedInput, savedWeight) = (Saved(x, exactly: true), Saved(weight))
  let (savedMeans, savedDeviations) = (Saved(means, exactly: true), Saved(deviations, exactly: true))
  return recorded("layerNorm", out, from: x.slot, weight.slot, biasInput) { gradient, tape in
    let (x, weight, means, deviations) = (savedInput.tensor, savedWeight.tensor, savedMeans.tensor, savedDeviations.tensor)
    let dy = gradient.pointer
    let from = x.pointer
    let w = weight.pointer
    let m = means.pointer
    let r = deviations.pointer
    normGradient(of: x, weight: weight, bias: biasInput, rows: rows, columns: columns, on: tape) { dx, dw, db, add, part in
      let at = part.lowerBound * columns
      graft_layer_norm_gradient(
        dx + at, dw, db, dy + at, from + at, w, m + part.lowerBound, r + part.lowerBound, add, part.count, columns)
    }
  }
}

/// The common part of both norms' gradients: one pass over the rows for the input and, where they are tracked, the parameters.
private func normGradient(
  of x: Tensor, weight: Tensor, bias: Slot?, rows: Int, columns: Int, on tape: Tape,
  _ kernel: (
    _ dx: UnsafeMutablePointer<Float>, _ dweight: UnsafeMutablePointer<Float>?, _ dbias: UnsafeMutablePointer<Float>?, _ add: Int32, Range<Int>
  ) -> Void
) {
  let wantsWeight = tape.tracks(weight)
  let wantsBias = bias.map(tape.tracks) ?? false
  guard wantsWeight || wantsBias else {
    tape.accumulate(into: x) { dx, isFirst in
      parallel(over: rows, grain: rowGrain(columns: columns)) { kernel(dx, nil, nil, isFirst ? 0 : 1, $0) }
    }
    return
  }
  let sums = Tensor.zeros([2, columns])
  let base = sums.mutablePointer
  func pass(_ dx: UnsafeMutablePointer<Float>, _ isFirst: Bool) {
    addRowReduction(to: base, rows: rows, columns: 2 * columns) { partial, part in
      kernel(dx, wantsWeight ? partial : nil, wantsBias ? partial + columns : nil, isFirst ? 0 : 1, part)
    }
  }
  // A name keeps memory until it has been written to.
  let unused = tape.tracks(x) ? nil : Tensor(uninitialized: x.shape)
  if let unused { pass(unused.mutablePointer, true) } else { tape.accumulate(into: x, pass) }
  func add(_ row: Int, into slot: Slot) {
    tape.accumulateZeroed(into: slot) { out in
      graft_accumulate(out, base + row * columns, columns)
    }
  }
  if wantsWeight { add(0, into: weight.slot) }
  if wantsBias, let bias { add(1, into: bias) }
}

let normSpecimens: [OperationSpecimen] = [
  OperationSpecimen("rmsNorm", .init("x", [300, 6]), .init("weight", [6], in: 0.5..<1.5)) { rmsNorm($0[0], weight: $0[1], epsilon: 1e-5) },
  OperationSpecimen("rmsNorm, per head, weight minus one", .init("x", [3, 12]), .init("weight", [4])) {
    rmsNorm($0[0], weight: $0[1], offset: 1, epsilon: 1e-5)
  },
  OperationSpecimen("layerNorm", .init("x", [300, 6]), .init("weight", [6], in: 0.5..<1.5), .init("bias", [6])) {
    layerNorm($0[0], weight: $0[1], bias: $0[2], epsilon: 1e-5)
  },
  OperationSpecimen("layerNorm, per head", .init("x", [3, 12]), .init("weight", [4]), .init("bias", [4])) {
    layerNorm($0[0], weight: $0[1], bias: $0[2], epsilon: 1e-5)
  },
]
