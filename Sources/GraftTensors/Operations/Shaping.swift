import CKernels

extension Tensor {
  /// The same elements under another shape.
  public func reshaped(to shape: Shape) -> Tensor {
    precondition(shape.elementCount == elementCount, "\(self.shape) reshaped to \(shape)")
    let input = slot
    let view = Tensor(storage: storage, offset: offset, shape: shape, dtype: dtype)
    return recorded("reshape", view, from: input) { gradient, tape in
      tape.accumulate(Tensor(storage: gradient.storage, offset: gradient.offset, shape: input.shape, dtype: .float32), into: input)
    }
  }

  /// Consecutive rows, sharing memory.
  /// - Returns: `[range.count, ...]`.
  public func rows(_ range: Range<Int>) -> Tensor {
    precondition(range.lowerBound >= 0 && range.upperBound <= shape[0], "rows \(range) of \(shape)")
    let width = elementCount / max(1, shape[0])
    let input = slot
    let view = Tensor(
      storage: storage, offset: offset + range.lowerBound * width, shape: Shape([range.count] + shape.dimensions.dropFirst()), dtype: dtype)
    return recorded("rows", view, from: input) { gradient, tape in
      tape.accumulateZeroed(into: input) { out in
        graft_accumulate(out + range.lowerBound * width, gradient.pointer, range.count * width)
      }
    }
  }

  /// Consecutive columns, copied.
  /// - Returns: `[rows, range.count]`.
  public func columns(_ range: Range<Int>) -> Tensor {
    precondition(range.lowerBound >= 0 && range.upperBound <= shape.columns, "columns \(range) of \(shape)")
    let total = shape.columns
    let count = range.count
    let rowCount = shape.rows
    let out = Tensor(uninitialized: shape.replacingColumns(with: count))
    let o = out.mutablePointer
    let from = pointer + range.lowerBound
    parallel(over: rowCount, grain: rowGrain(columns: count)) { part in
      for row in part { (o + row * count).update(from: from + row * total, count: count) }
    }
    let input = slot
    return recorded("columns", out, from: input) { gradient, tape in
      tape.accumulateZeroed(into: input) { dx in
        let dy = gradient.pointer
        parallel(over: rowCount, grain: rowGrain(columns: count)) { part in
          for row in part { graft_accumulate(dx + row * total + range.lowerBound, dy + row * count, count) }
        }
      }
    }
  }
}

extension Tensor {
  /// A matrix with rows and columns exchanged, copied.
  public var transposed: Tensor {
    let out = transposedCopy(self)
    let input = slot
    return recorded("transpose", out, from: input) { gradient, tape in
      tape.accumulate(transposedCopy(gradient), into: input)
    }
  }
}

private func transposedCopy(_ x: Tensor) -> Tensor {
  precondition(x.shape.rank == 2, "\(x.shape) is not a matrix")
  let rows = x.shape[0]
  let columns = x.shape[1]
  let out = Tensor(uninitialized: [columns, rows])
  let o = out.mutablePointer
  let from = x.pointer
  parallel(over: columns, grain: rowGrain(columns: rows)) { part in
    for row in 0..<rows {
      for column in part { o[column * rows + row] = from[row * columns + column] }
    }
  }
  return out
}

/// The rows of all parts, one after another.
/// - Precondition: the same columns everywhere.
public func concatenateRows(_ parts: [Tensor]) -> Tensor {
  let columns = parts.first?.shape.columns ?? 0
  precondition(parts.allSatisfy { $0.shape.columns == columns }, "parts \(parts.map(\.shape))")
  let out = Tensor(uninitialized: [parts.reduce(0) { $0 + $1.shape.rows }, columns])
  var at = 0
  for part in parts {
    (out.mutablePointer + at).update(from: part.pointer, count: part.elementCount)
    at += part.elementCount
  }
  let inputs = parts.map(\.slot)
  return recorded("concatenateRows", out, from: inputs) { gradient, tape in
    var at = 0
    for input in inputs {
      let count = input.shape.elementCount
      let offset = at
      tape.accumulateZeroed(into: input) { dx in
        graft_accumulate(dx, gradient.pointer + offset, count)
      }
      at += count
    }
  }
}

let shapingSpecimens: [OperationSpecimen] = [
  OperationSpecimen("reshape", .init("x", [4, 6])) { $0[0].reshaped(to: [3, 8]) },
  OperationSpecimen("transpose", .init("x", [3, 5])) { $0[0].transposed },
  OperationSpecimen("rows", .init("x", [5, 3])) { $0[0].rows(1..<4) },
  OperationSpecimen("columns", .init("x", [5, 6])) { $0[0].columns(2..<5) },
  OperationSpecimen("concatenateRows", .init("a", [2, 3]), .init("b", [4, 3])) { concatenateRows([$0[0], $0[1], $0[0]]) },
]
