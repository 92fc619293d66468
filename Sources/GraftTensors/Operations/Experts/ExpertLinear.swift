import CKernels

/// The matrices of all experts: one tensor of all, or one tensor each.
public enum ExpertMatrices {
  /// `[experts, ...]`.
  case fused(Tensor)
  /// A matrix an expert; nil where an expert has none, whose product is then zero.
  case separate([Weight?])

  var count: Int {
    switch self {
    case .fused(let all): all.shape[0]
    case .separate(let matrices): matrices.count
    }
  }

  /// The lengths of one matrix's axes.
  var shape: Shape {
    switch self {
    case .fused(let all): return [all.shape[1], all.shape[2]]
    case .separate(let matrices):
      guard let first = matrices.lazy.compactMap({ $0 }).first else { preconditionFailure("experts without a matrix") }
      precondition(matrices.allSatisfy { $0?.shape ?? first.shape == first.shape }, "experts of different shapes")
      return first.shape
    }
  }

  /// The places on a tape of the matrices that experts with rows have.
  func slots(_ routing: ExpertRouting) -> [Slot?] {
    switch self {
    case .fused(let all): [all.slot]
    case .separate(let matrices): matrices.indices.filter { !routing.rows(of: $0).isEmpty }.map { matrices[$0]?.slot }
    }
  }

  var isTracked: Bool {
    switch self {
    case .fused(let all): all.isTracked
    case .separate(let matrices): matrices.contains { $0?.isTracked ?? false }
    }
  }

  /// The matrix of one expert, or its transpose; nil where it has none.
  func operand(_ expert: Int, transposed: Bool) -> WeightOperand? {
    switch self {
    case .fused(let all):
      let first = all.rawPointer + all.dtype.bytes(for: expert * all.shape[1] * all.shape[2])
      return .elements(MatrixOperand(first, dtype: all.dtype, stride: all.shape[2], transposed: transposed))
    case .separate(let matrices): return matrices[expert]?.operand(transposed: transposed)
    }
  }

  /// True where no two experts have one trained matrix, whose gradient would be written twice.
  var areTrackedOnce: Bool {
    guard case .separate(let matrices) = self else { return true }
    let nodes = matrices.compactMap { $0?.isTracked == true ? $0?.slot.node : nil }
    return Set(nodes).count == nodes.count
  }
}

/// `base + scale * x Wᵀ + bias`, with every expert's own matrix for its rows: the experts' products are computed together.
///
/// An expert without rows costs nothing, neither on the way there nor on the way back.
/// - Parameters:
///   - x: `[rows, in]`, those of expert `e` at `routing.rows(of: e)`, as `dispatchRows` gives them.
///   - matrices: `[experts, out, in]` (or as `layout` says), in any floating-point type; only a float32 one can be tracked.
///   - bias: `[experts, out]`.
///   - base: `[rows, out]`, added to the product; its memory is used for the result where nobody else holds it.
/// - Returns: `[rows, out]`.
public func expertLinear(
  _ x: Tensor, _ matrices: ExpertMatrices, bias: Tensor? = nil, _ routing: ExpertRouting, layout: WeightLayout = .outputByInput, scale: Float = 1,
  addingTo base: consuming Tensor? = nil
) -> Tensor {
  let matrix = matrices.shape
  let (outputs, inputs) = layout == .outputByInput ? (matrix[0], matrix[1]) : (matrix[1], matrix[0])
  let rows = x.shape.rows
  precondition(x.shape.columns == inputs && rows == routing.experts.count, "experts \(matrix) (\(layout)) for input \(x.shape)")
  precondition(matrices.areTrackedOnce, "one trained matrix for two experts")
  precondition(matrices.count == routing.expertCount, "\(matrices.count) matrices for \(routing.expertCount) experts")
  let shape: Shape = [rows, outputs]
  precondition(base.map { $0.shape == shape } ?? true, "base \(base?.shape as Any) for result \(shape)")
  let baseInput = base?.slot
  let adds = base != nil
  var out = (base.take() ?? Tensor(uninitialized: shape)).detached
  out.makeUnique()
  let o = out.mutablePointer
  let problem = ExpertProblem(matrices: matrices, routing: routing, layout: layout, inputs: inputs, outputs: outputs, scale: scale)
  problem.multiplyForward(x.pointer, into: o, adding: adds)
  if let bias { problem.addBias(bias.pointer, to: o) }

  let (input, biasInput, saved) = (x.slot, bias?.slot, matrices.isTracked ? Saved(x) : nil)
  return recorded("expertLinear", out, from: [input, biasInput, baseInput] + matrices.slots(routing)) { gradient, tape in
    if let baseInput { tape.accumulate(gradient, into: baseInput) }
    tape.accumulate(into: input) { dx, isFirst in problem.multiplyBackward(gradient.pointer, into: dx, adding: !isFirst) }
    if let x = saved?.tensor { problem.accumulateMatrixGradients(gradient.pointer, x.pointer, on: tape) }
    if let biasInput {
      tape.accumulateZeroed(into: biasInput) { problem.addBiasGradient(gradient.pointer, to: $0) }
    }
  }
}

/// The products of one `expertLinear`, forward and backward.
private struct ExpertProblem {
  let matrices: ExpertMatrices
  let routing: ExpertRouting
  let layout: WeightLayout
  let inputs: Int
  let outputs: Int
  let scale: Float

  /// `out = scale x Wᵀ`, added to what is there where `adding`.
  func multiplyForward(_ x: UnsafePointer<Float>, into out: UnsafeMutablePointer<Float>, adding: Bool) {
    multiply(x, columns: inputs, transposed: layout == .outputByInput, into: out, columns: outputs, adding: adding)
  }

  /// `dx = scale dy W`, added to what is there where `adding`.
  func multiplyBackward(_ dy: UnsafePointer<Float>, into dx: UnsafeMutablePointer<Float>, adding: Bool) {
    multiply(dy, columns: outputs, transposed: layout == .inputByOutput, into: dx, columns: inputs, adding: adding)
  }

  private func multiply(
    _ x: UnsafePointer<Float>, columns terms: Int, transposed: Bool, into out: UnsafeMutablePointer<Float>, columns: Int, adding: Bool
  ) {
    let products = (0..<routing.expertCount).compactMap { expert -> GroupedProduct? in
      let rows = routing.rows(of: expert)
      let to = out + rows.lowerBound * columns
      guard !rows.isEmpty else { return nil }
      guard let matrix = matrices.operand(expert, transposed: transposed) else {
        if !adding { graft_fill(to, 0, rows.count * columns) }
        return nil
      }
      return GroupedProduct(
        rows: rows.count, columns: columns, terms: terms, a: MatrixOperand(x + rows.lowerBound * terms, stride: terms), b: matrix, out: to,
        stride: columns, beta: adding ? 1 : 0)
    }
    multiplyGrouped(products, alpha: scale)
  }

  /// `dW = scale dyᵀ x` (or its transpose) of every expert that had rows.
  func accumulateMatrixGradients(_ dy: UnsafePointer<Float>, _ x: UnsafePointer<Float>, on tape: Tape) {
    switch matrices {
    case .fused(let all):
      tape.accumulate(into: all.slot) { dw, isFirst in
        let size = inputs * outputs
        if isFirst {
          for expert in 0..<routing.expertCount where routing.rows(of: expert).isEmpty { graft_fill(dw + expert * size, 0, size) }
        }
        multiplyGrouped((0..<routing.expertCount).map { gradient($0, dy, x, into: dw + $0 * size, adding: !isFirst) }, alpha: scale)
      }
    case .separate(let separate):
      var products: [GroupedProduct] = []
      for (expert, matrix) in separate.enumerated() where !routing.rows(of: expert).isEmpty {
        guard let slot = matrix?.slot, tape.tracks(slot) else { continue }
        // The tape keeps the memory until the gradient of that matrix is complete; it is written below, for all experts together.
        tape.accumulate(into: slot) { dw, isFirst in products.append(gradient(expert, dy, x, into: dw, adding: !isFirst)) }
      }
      multiplyGrouped(products, alpha: scale)
    }
  }

  private func gradient(
    _ expert: Int, _ dy: UnsafePointer<Float>, _ x: UnsafePointer<Float>, into dw: UnsafeMutablePointer<Float>, adding: Bool
  ) -> GroupedProduct {
    let rows = routing.rows(of: expert)
    let isTransposed = layout == .outputByInput
    let (first, firstColumns) = isTransposed ? (dy, outputs) : (x, inputs)
    let (second, secondColumns) = isTransposed ? (x, inputs) : (dy, outputs)
    return GroupedProduct(
      rows: rows.isEmpty ? 0 : firstColumns, columns: secondColumns, terms: rows.count,
      a: MatrixOperand(first + rows.lowerBound * firstColumns, stride: firstColumns, transposed: true),
      b: .elements(MatrixOperand(second + rows.lowerBound * secondColumns, stride: secondColumns)), out: dw, stride: secondColumns,
      beta: adding ? 1 : 0)
  }

  func addBias(_ bias: UnsafePointer<Float>, to out: UnsafeMutablePointer<Float>) {
    for expert in 0..<routing.expertCount {
      let rows = routing.rows(of: expert)
      parallel(over: rows.count, grain: rowGrain(columns: outputs)) { part in
        let to = out + (rows.lowerBound + part.lowerBound) * outputs
        graft_add_row(to, to, bias + expert * outputs, part.count, outputs)
      }
    }
  }

  func addBiasGradient(_ dy: UnsafePointer<Float>, to out: UnsafeMutablePointer<Float>) {
    parallel(routing.expertCount) { expert in
      let rows = routing.rows(of: expert)
      graft_column_sums(out + expert * outputs, dy + rows.lowerBound * outputs, rows.count, outputs)
    }
  }
}

/// Seven rows: three experts, the second without any.
private var exampleRouting: ExpertRouting { ExpertRouting([2, 0, 0, 2, 2, 2, 0], choices: 1, of: 3) }

let expertLinearSpecimens: [OperationSpecimen] = [
  OperationSpecimen("expertLinear", .init("x", [7, 4]), .init("weights", [3, 5, 4]), .init("bias", [3, 5]), .init("base", [7, 5])) {
    expertLinear($0[0], .fused($0[1]), bias: $0[2], exampleRouting, scale: 0.5, addingTo: $0[3])
  },
  OperationSpecimen("expertLinear, input by output", .init("x", [7, 4]), .init("weights", [3, 4, 5])) {
    expertLinear($0[0], .fused($0[1]), exampleRouting, layout: .inputByOutput)
  },
  OperationSpecimen("expertLinear, separate", .init("x", [7, 4]), .init("first", [5, 4]), .init("third", [5, 4])) {
    expertLinear($0[0], .separate([.dense($0[1]), nil, .dense($0[2])]), exampleRouting)
  },
  OperationSpecimen("expertLinear, an expert without a matrix", .init("x", [7, 4]), .init("first", [5, 4])) {
    expertLinear($0[0], .separate([.dense($0[1]), nil, nil]), exampleRouting)
  },
]
