import CKernels

/// The order of the axes of a linear map's matrix.
public enum WeightLayout: Sendable, Hashable {
  /// `[out, in]`, as in torch's `Linear`.
  case outputByInput
  /// `[in, out]`, as in GPT-2's `Conv1D`.
  case inputByOutput
}

/// `base + scale * x Wᵀ + bias`: a linear map of every row.
///
/// - Parameters:
///   - x: `[rows, in]`; its gradient is `scale * dy W`.
///   - weight: `[out, in]` (or as `layout` says), in any format that products read; only a dense float32 one can be tracked.
///     Its gradient is `scale * dyᵀ x`, and `x` is kept for it only where it is tracked.
///   - bias: `[out]`.
///   - base: `[rows, out]`, added to the product; its memory is used for the result where nobody else holds it.
/// - Returns: `[rows, out]`.
public func linear(
  _ x: Tensor, _ weight: Weight, bias: Tensor? = nil, layout: WeightLayout = .outputByInput, scale: Float = 1, addingTo base: consuming Tensor? = nil
) -> Tensor {
  let rows = x.shape.rows
  let inputs = x.shape.columns
  let outputs = layout == .outputByInput ? weight.shape[0] : weight.shape[1]
  precondition(
    (layout == .outputByInput ? weight.shape[1] : weight.shape[0]) == inputs, "weight \(weight.shape) (\(layout)) for input \(x.shape)")
  let shape = x.shape.replacingColumns(with: outputs)
  precondition(base.map { $0.elementCount == rows * outputs } ?? true, "base \(base?.shape as Any) for result \(shape)")
  let baseInput = base?.slot
  let out = base?.reusedMemory(shape: shape) ?? Tensor(uninitialized: shape)
  multiplyMatrices(
    m: rows, n: outputs, k: inputs, alpha: scale, MatrixOperand(x.pointer, stride: inputs),
    weight.operand(transposed: layout == .outputByInput), beta: base == nil ? 0 : 1, out.mutablePointer, stride: outputs, addend: base?.pointer)
  base = nil
  if let bias { addInPlace(row: bias, to: out) }

  let (input, biasInput, savedInput, savedWeight) = (x.slot, bias?.slot, weight.isTracked ? Saved(x) : nil, SavedWeight(weight))
  return recorded("linear", out, from: input, weight.slot, biasInput, baseInput) { gradient, tape in
    let weight = savedWeight.weight
    let dy = MatrixOperand(gradient.pointer, stride: outputs)
    if let baseInput { tape.accumulate(gradient, into: baseInput) }
    tape.accumulate(into: input) { dx, isFirst in
      multiplyMatrices(
        m: rows, n: inputs, k: outputs, alpha: scale, dy, weight.operand(transposed: layout == .inputByOutput), beta: isFirst ? 0 : 1, dx,
        stride: inputs)
    }
    if let saved = savedInput?.tensor { accumulateWeightGradient(gradient, saved, layout, scale, into: weight.slot, on: tape) }
    if let biasInput { accumulateColumnSums(of: gradient, into: biasInput, on: tape) }
  }
}

/// Adds `scale * dyᵀ x`, or its transpose, to the gradient of a weight.
private func accumulateWeightGradient(_ gradient: Tensor, _ x: Tensor, _ layout: WeightLayout, _ scale: Float, into weight: Slot, on tape: Tape) {
  let rows = x.shape.rows
  let inputs = x.shape.columns
  let outputs = gradient.shape.columns
  tape.accumulate(into: weight) { dw, isFirst in
    let beta: Float = isFirst ? 0 : 1
    switch layout {
    case .outputByInput:
      multiplyMatrices(
        m: outputs, n: inputs, k: rows, alpha: scale, MatrixOperand(gradient.pointer, stride: outputs, transposed: true),
        MatrixOperand(x.pointer, stride: inputs), beta: beta, dw, stride: inputs)
    case .inputByOutput:
      multiplyMatrices(
        m: inputs, n: outputs, k: rows, alpha: scale, MatrixOperand(x.pointer, stride: inputs, transposed: true),
        MatrixOperand(gradient.pointer, stride: outputs), beta: beta, dw, stride: outputs)
    }
  }
}

/// The same with a tensor as the weight.
public func linear(
  _ x: Tensor, _ weight: Tensor, bias: Tensor? = nil, layout: WeightLayout = .outputByInput, scale: Float = 1, addingTo base: consuming Tensor? = nil
) -> Tensor {
  linear(x, .dense(weight), bias: bias, layout: layout, scale: scale, addingTo: consume base)
}

/// `a b`, or `a bᵀ`, of two matrices that are both computed rather than stored.
/// - Returns: `[rows of a, columns of b]`.
public func matrixProduct(_ a: Tensor, _ b: Tensor, transposingSecond: Bool = false) -> Tensor {
  linear(a, b, layout: transposingSecond ? .outputByInput : .inputByOutput)
}

extension Tensor {
  func operand(transposed: Bool) -> MatrixOperand {
    MatrixOperand(rawPointer, dtype: dtype, stride: shape[1], transposed: transposed)
  }
}

func addInPlace(row: Tensor, to out: Tensor) {
  let columns = out.shape.columns
  let o = out.mutablePointer
  let by = row.pointer
  parallel(over: out.shape.rows, grain: rowGrain(columns: columns)) { rows in
    let start = rows.lowerBound * columns
    graft_add_row(o + start, o + start, by, rows.count, columns)
  }
}

let linearSpecimens: [OperationSpecimen] = [
  OperationSpecimen("linear", .init("x", [5, 4]), .init("weight", [3, 4]), .init("bias", [3]), .init("base", [5, 3])) {
    linear($0[0], $0[1], bias: $0[2], scale: 0.5, addingTo: $0[3])
  },
  OperationSpecimen("linear, input by output", .init("x", [5, 4]), .init("weight", [4, 3])) { linear($0[0], $0[1], layout: .inputByOutput) },
  OperationSpecimen("linear, twice from one input", .init("x", [70, 4]), .init("first", [3, 4]), .init("second", [3, 4])) {
    linear($0[0], $0[2], addingTo: linear($0[0], $0[1]))
  },
]
