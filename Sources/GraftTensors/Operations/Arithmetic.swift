import CKernels

/// `a + b`, elementwise.
public func + (a: Tensor, b: Tensor) -> Tensor {
  let (first, second) = (a.slot, b.slot)
  return recorded("add", elementwise(a, b, graft_add), from: first, second) { gradient, tape in
    tape.accumulate(gradient, into: first)
    tape.accumulate(gradient, into: second)
  }
}

/// `a - b`, elementwise.
public func - (a: Tensor, b: Tensor) -> Tensor {
  let (first, second) = (a.slot, b.slot)
  return recorded("subtract", elementwise(a, b, graft_subtract), from: first, second) { gradient, tape in
    tape.accumulate(gradient, into: first)
    if tape.tracks(second) { tape.accumulate(scaled(gradient, by: -1), into: second) }
  }
}

/// `a * b`, elementwise (the Hadamard product).
public func * (a: Tensor, b: Tensor) -> Tensor {
  let (first, second) = (Saved(a), Saved(b))
  return recorded("multiply", elementwise(a, b, graft_multiply), from: a.slot, b.slot) { gradient, tape in
    if tape.tracks(first.slot) { tape.accumulate(elementwise(gradient, second.tensor, graft_multiply), into: first.slot) }
    if tape.tracks(second.slot) { tape.accumulate(elementwise(gradient, first.tensor, graft_multiply), into: second.slot) }
  }
}

/// `factor * a`.
public func * (factor: Float, a: Tensor) -> Tensor {
  let input = a.slot
  return recorded("scale", scaled(a, by: factor), from: input) { gradient, tape in
    if tape.tracks(input) { tape.accumulate(scaled(gradient, by: factor), into: input) }
  }
}

/// The sum of all elements, accumulated in double precision.
/// - Returns: a scalar.
public func sum(_ a: Tensor) -> Tensor {
  let input = a.slot
  return recorded("sum", Tensor([Float(reduced(a, graft_sum))], []), from: input) { gradient, tape in
    tape.accumulate(Tensor(repeating: gradient.scalar, shape: input.shape), into: input)
  }
}

/// The root of the sum of all elements' squares; its gradient at zero is zero.
/// - Returns: a scalar.
public func euclideanNorm(_ a: Tensor) -> Tensor {
  let norm = a.sumOfSquares.squareRoot()
  let saved = Saved(a)
  return recorded("euclideanNorm", Tensor([Float(norm)], []), from: a.slot) { gradient, tape in
    tape.accumulate(scaled(saved.tensor, by: norm > 0 ? Float(Double(gradient.scalar) / norm) : 0), into: saved.slot)
  }
}

/// `a [rows, columns]` with every row multiplied by `row [columns]`.
public func scaleColumns(_ a: Tensor, by row: Tensor) -> Tensor {
  precondition(row.elementCount == a.shape.columns, "\(row.shape) columns for \(a.shape)")
  let columns = a.shape.columns
  let (input, factors) = (Saved(a), Saved(row))
  return recorded("scaleColumns", rowProduct(a, row), from: a.slot, row.slot) { gradient, tape in
    if tape.tracks(input.slot) { tape.accumulate(rowProduct(gradient, factors.tensor), into: input.slot) }
    tape.accumulateZeroed(into: factors.slot) { out in
      let saved = input.tensor
      addRowReduction(to: out, rows: saved.shape.rows, columns: columns) { partial, rows in
        let start = rows.lowerBound * columns
        graft_column_dots(partial, gradient.pointer + start, saved.pointer + start, rows.count, columns)
      }
    }
  }
}

/// Every row of `a` times `row`, elementwise.
private func rowProduct(_ a: Tensor, _ row: Tensor) -> Tensor {
  let columns = a.shape.columns
  let out = Tensor(uninitialized: a.shape)
  let o = out.mutablePointer
  let from = a.pointer
  let by = row.pointer
  parallel(over: a.shape.rows, grain: rowGrain(columns: columns)) { rows in
    let start = rows.lowerBound * columns
    graft_multiply_row(o + start, from + start, by, rows.count, columns)
  }
  return out
}

/// `a [rows, columns]` with every row multiplied by its element of `column [rows, 1]`.
public func scaleRows(_ a: Tensor, by column: Tensor) -> Tensor {
  precondition(column.elementCount == a.shape.rows, "\(column.shape) factors for \(a.shape)")
  let columns = a.shape.columns
  let (saved, factors) = (Saved(a), Saved(column))
  return recorded("scaleRows", columnProduct(a, column), from: a.slot, column.slot) { gradient, tape in
    let a = saved.tensor
    if tape.tracks(saved.slot) { tape.accumulate(columnProduct(gradient, factors.tensor), into: saved.slot) }
    tape.accumulateZeroed(into: factors.slot) { out in
      let dy = gradient.pointer
      let from = a.pointer
      parallel(over: a.shape.rows, grain: rowGrain(columns: columns)) { rows in
        for row in rows { out[row] += Float(graft_dot(dy + row * columns, from + row * columns, columns)) }
      }
    }
  }
}

/// Every column of `a` times `column`, elementwise.
private func columnProduct(_ a: Tensor, _ column: Tensor) -> Tensor {
  let columns = a.shape.columns
  let out = Tensor(uninitialized: a.shape)
  let o = out.mutablePointer
  let from = a.pointer
  let by = column.pointer
  parallel(over: a.shape.rows, grain: rowGrain(columns: columns)) { rows in
    let start = rows.lowerBound * columns
    graft_scale_rows(o + start, from + start, by + rows.lowerBound, rows.count, columns, columns, columns)
  }
  return out
}

/// `a [rows, columns]` with `row [columns]` added to every row.
public func addRow(_ a: Tensor, _ row: Tensor) -> Tensor {
  precondition(row.elementCount == a.shape.columns, "\(row.shape) columns for \(a.shape)")
  let columns = a.shape.columns
  let out = Tensor(uninitialized: a.shape)
  let o = out.mutablePointer
  let from = a.pointer
  let by = row.pointer
  parallel(over: a.shape.rows, grain: rowGrain(columns: columns)) { rows in
    let start = rows.lowerBound * columns
    graft_add_row(o + start, from + start, by, rows.count, columns)
  }
  let (input, added) = (a.slot, row.slot)
  return recorded("addRow", out, from: input, added) { gradient, tape in
    tape.accumulate(gradient, into: input)
    accumulateColumnSums(of: gradient, into: added, on: tape)
  }
}

// -- shared by the operations ------------------------------------------------------------------------------

typealias BinaryKernel = (UnsafeMutablePointer<Float>, UnsafePointer<Float>, UnsafePointer<Float>, Int) -> Void

func elementwise(_ a: Tensor, _ b: Tensor, _ kernel: BinaryKernel) -> Tensor {
  precondition(a.shape == b.shape, "shapes \(a.shape) and \(b.shape)")
  let out = Tensor(uninitialized: a.shape)
  let o = out.mutablePointer
  let x = a.pointer
  let y = b.pointer
  parallel(over: a.elementCount, grain: elementwiseGrain) { part in
    kernel(o + part.lowerBound, x + part.lowerBound, y + part.lowerBound, part.count)
  }
  return out
}

func scaled(_ a: Tensor, by factor: Float) -> Tensor {
  let out = Tensor(uninitialized: a.shape)
  let o = out.mutablePointer
  let x = a.pointer
  parallel(over: a.elementCount, grain: elementwiseGrain) { part in
    graft_scale(o + part.lowerBound, x + part.lowerBound, factor, part.count)
  }
  return out
}

/// A sum over all elements, in chunks whose partial sums are added in order.
func reduced(_ a: Tensor, _ kernel: (UnsafePointer<Float>, Int) -> Double) -> Double {
  let count = a.elementCount
  let x = a.pointer
  let chunks = (count + elementwiseGrain - 1) / elementwiseGrain
  return withUnsafeTemporaryAllocation(of: Double.self, capacity: max(1, chunks)) { partial in
    let base = partial.baseAddress
    parallel(chunks) { chunk in
      let start = chunk * elementwiseGrain
      base?[chunk] = kernel(x + start, min(elementwiseGrain, count - start))
    }
    return (0..<chunks).reduce(0) { $0 + partial[$1] }
  }
}

/// Adds to `out [columns]` what `body` adds up over rows, in chunks of rows whose partial sums are added in order.
func addRowReduction(
  to out: UnsafeMutablePointer<Float>, rows: Int, columns: Int, _ body: (UnsafeMutablePointer<Float>, Range<Int>) -> Void
) {
  let grain = max(256, fixedRowGrain(columns: columns))
  let chunks = (rows + grain - 1) / grain
  guard chunks > 1 else {
    if rows > 0 { body(out, 0..<rows) }
    return
  }
  let partial = Tensor(uninitialized: [chunks, columns])
  let base = partial.mutablePointer
  parallel(chunks) { chunk in
    graft_fill(base + chunk * columns, 0, columns)
    body(base + chunk * columns, chunk * grain..<min(rows, (chunk + 1) * grain))
  }
  for chunk in 0..<chunks { graft_accumulate(out, base + chunk * columns, columns) }
}

/// The gradient of something added to every row.
func accumulateColumnSums(of gradient: Tensor, into row: Slot, on tape: Tape) {
  let columns = gradient.shape.columns
  tape.accumulateZeroed(into: row) { out in
    let from = gradient.pointer
    addRowReduction(to: out, rows: gradient.shape.rows, columns: columns) { partial, rows in
      graft_column_sums(partial, from + rows.lowerBound * columns, rows.count, columns)
    }
  }
}

let arithmeticSpecimens: [OperationSpecimen] = [
  OperationSpecimen("add", .init("a", [3, 5]), .init("b", [3, 5])) { $0[0] + $0[1] },
  OperationSpecimen("subtract", .init("a", [3, 5]), .init("b", [3, 5])) { $0[0] - $0[1] },
  OperationSpecimen("multiply", .init("a", [3, 5]), .init("b", [3, 5])) { $0[0] * $0[1] },
  OperationSpecimen("scale", .init("a", [7])) { -1.5 * $0[0] },
  OperationSpecimen("sum", .init("a", [4, 6])) { sum($0[0]) },
  OperationSpecimen("euclideanNorm", .init("a", [4, 6])) { euclideanNorm($0[0]) },
  OperationSpecimen("scaleColumns", .init("a", [600, 3]), .init("row", [3])) { scaleColumns($0[0], by: $0[1]) },
  OperationSpecimen("scaleRows", .init("a", [600, 3]), .init("column", [600, 1])) { scaleRows($0[0], by: $0[1]) },
  OperationSpecimen("addRow", .init("a", [600, 3]), .init("row", [3])) { addRow($0[0], $0[1]) },
]
