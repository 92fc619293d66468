import CKernels

/// The rows of `table [entries, columns]` that `indices [count]` name: an embedding, or a selection of rows.
///
/// The table may be of any floating-point format or of blocks; its gradient adds up over repeated indices.
/// - Parameter untrained: a row whose gradient stays zero, as that of a table's padding.
/// - Returns: `[count, columns]`.
/// - Precondition: the table has every index.
public func gatherRows(_ table: Weight, _ indices: Tensor, untrained: Int? = nil) -> Tensor {
  let count = indices.elementCount
  let columns = table.shape.columns
  requireIndices(indices, below: table.shape.rows)
  let out = Tensor(uninitialized: [count, columns])
  let o = out.mutablePointer
  let at = indices.indices
  switch table {
  case .dense(let table) where table.dtype == .float32:
    let from = table.pointer
    parallel(over: count, grain: rowGrain(columns: columns)) { part in
      graft_gather_rows(o + part.lowerBound * columns, from, at + part.lowerBound, part.count, columns)
    }
  case .dense(let table):
    let width = table.dtype.bytes(for: columns)
    let from = table.rawPointer
    parallel(over: count, grain: rowGrain(columns: columns)) { part in
      for row in part { convert(o + row * columns, .float32, from + Int(at[row]) * width, table.dtype, columns) }
    }
  case .blocks(let table):
    parallel(over: count, grain: rowGrain(columns: columns)) { part in
      for row in part { table.decode(row: Int(at[row]), columns: 0..<columns, to: o + row * columns) }
    }
  }
  let input = table.slot
  let saved = Saved(indices)
  return recorded("gatherRows", out, from: input) { gradient, tape in
    tape.accumulate(into: input) { dTable, isFirst in
      let from = gradient.pointer
      let indices = saved.tensor
      let at = indices.indices
      let entries = input.shape.rows
      // Every task looks at all indices, and adds in their order what goes to its entries.
      parallel(over: entries, grain: max(fixedRowGrain(columns: columns), entries / 64)) { part in
        if isFirst { graft_fill(dTable + part.lowerBound * columns, 0, part.count * columns) }
        for place in 0..<count where part.contains(Int(at[place])) && Int(at[place]) != untrained {
          graft_accumulate(dTable + Int(at[place]) * columns, from + place * columns, columns)
        }
      }
    }
  }
}

/// The same with a tensor as the table.
public func gatherRows(_ table: Tensor, _ indices: Tensor, untrained: Int? = nil) -> Tensor {
  gatherRows(.dense(table), indices, untrained: untrained)
}

/// Traps an index that would be read from somebody else's memory.
func requireIndices(_ indices: Tensor, below count: Int) {
  let values = indices.indices
  for place in 0..<indices.elementCount {
    precondition(values[place] >= 0 && values[place] < count, "index \(values[place]) into \(count)")
  }
}

let tableSpecimens: [OperationSpecimen] = [
  OperationSpecimen("gatherRows", .init("table", [5, 4])) { gatherRows($0[0], Tensor([3, 0, 3, 1] as [Int32])) }
]
