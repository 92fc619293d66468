import CKernels

/// `x` with row `places[i]` of `replacements` in place of row `i`, where that is not negative.
///
/// - Parameters:
///   - x: `[rows, columns]`; replaced rows get no gradient.
///   - replacements: `[any, columns]`.
/// - Returns: `[rows, columns]`.
public func replaceRows(of x: Tensor, by replacements: Tensor, _ places: [Int32]) -> Tensor {
  let columns = x.shape.columns
  precondition(places.count == x.shape.rows && replacements.shape.columns == columns, "\(replacements.shape) in \(x.shape)")
  let out = Tensor(uninitialized: x.shape)
  let o = out.mutablePointer
  for (row, place) in places.enumerated() {
    let from = place < 0 ? x.pointer + row * columns : replacements.pointer + Int(place) * columns
    (o + row * columns).update(from: from, count: columns)
  }
  let (input, replaced) = (x.slot, replacements.slot)
  return recorded("replaceRows", out, from: input, replaced) { gradient, tape in
    tape.accumulateZeroed(into: input) { dx in
      for (row, place) in places.enumerated() where place < 0 {
        graft_accumulate(dx + row * columns, gradient.pointer + row * columns, columns)
      }
    }
    tape.accumulateZeroed(into: replaced) { total in
      for (row, place) in places.enumerated() where place >= 0 {
        graft_accumulate(total + Int(place) * columns, gradient.pointer + row * columns, columns)
      }
    }
  }
}

extension Tensor {
  /// The elements of an int32 tensor, such as token ids.
  package func elements() -> [Int32] { withUnsafeBytes { Array($0.bindMemory(to: Int32.self)) } }
}

let rowReplacementSpecimens: [OperationSpecimen] = [
  OperationSpecimen("replaceRows", .init("x", [4, 3]), .init("replacements", [2, 3])) { replaceRows(of: $0[0], by: $0[1], [-1, 1, 0, 1]) }
]
