import CKernels

/// `x` with all rows of `inserted` before each of the given rows, as virtual tokens stand before sequences.
///
/// - Parameters:
///   - inserted: `[count, columns]`; its gradient is the sum over all places.
///   - starts: rows of `x`, ascending.
///   - x: `[rows, columns]`.
/// - Returns: `[rows + starts.count * count, columns]`.
public func insertRows(_ inserted: Tensor, before starts: [Int], in x: Tensor) -> Tensor {
  let columns = x.shape.columns
  let count = inserted.shape.rows
  let rows = x.shape.rows
  precondition(inserted.shape.columns == columns, "\(inserted.shape) inserted in \(x.shape)")
  precondition(zip(starts, starts.dropFirst()).allSatisfy(<) && starts.allSatisfy { (0...rows).contains($0) }, "starts \(starts)")
  let out = Tensor(uninitialized: [rows + starts.count * count, columns])
  // The runs of rows of `x` between insertions, with how many insertions come before each.
  let runs = zip([0] + starts, starts + [rows]).enumerated().map { (insertions: $0.offset, rows: $0.element.0..<$0.element.1) }
  for run in runs {
    let to = out.mutablePointer + (run.rows.lowerBound + run.insertions * count) * columns
    to.update(from: x.pointer + run.rows.lowerBound * columns, count: run.rows.count * columns)
  }
  for (index, start) in starts.enumerated() {
    (out.mutablePointer + (start + index * count) * columns).update(from: inserted.pointer, count: count * columns)
  }
  let (input, insertedInput) = (x.slot, inserted.slot)
  return recorded("insertRows", out, from: input, insertedInput) { gradient, tape in
    tape.accumulateZeroed(into: input) { dx in
      for run in runs {
        let from = gradient.pointer + (run.rows.lowerBound + run.insertions * count) * columns
        graft_accumulate(dx + run.rows.lowerBound * columns, from, run.rows.count * columns)
      }
    }
    tape.accumulateZeroed(into: insertedInput) { total in
      for (index, start) in starts.enumerated() {
        graft_accumulate(total, gradient.pointer + (start + index * count) * columns, count * columns)
      }
    }
  }
}

let rowInsertionSpecimens: [OperationSpecimen] = [
  OperationSpecimen("insertRows", .init("inserted", [2, 3]), .init("x", [5, 3])) { insertRows($0[0], before: [0, 2, 5], in: $0[1]) }
]
