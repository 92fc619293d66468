import CKernels

/// The columns of the `count` largest elements of every row, largest first: `torch.topk`, with its choice among equal elements.
///
/// - Parameter x: `[rows, columns]`.
/// - Returns: `[rows * count]`.
public func largestColumns(_ x: Tensor, _ count: Int) -> [Int32] {
  let columns = x.shape.columns
  let rows = x.shape.rows
  precondition((1...columns).contains(count), "the \(count) largest of \(columns)")
  // A rehearsal has no numbers to choose by: every column as often as any other.
  if MemoryCount.current != nil { return (0..<rows * count).map { Int32($0 % columns) } }
  let from = x.pointer
  return [Int32](unsafeUninitializedCapacity: rows * count) { buffer, filled in
    let out = buffer.baseAddress
    parallel(over: rows, grain: rowGrain(columns: 16 * columns)) { part in
      if let out { graft_top_k(out + part.lowerBound * count, from + part.lowerBound * columns, count, part.count, columns) }
    }
    filled = rows * count
  }
}

/// A limit on the groups of experts that a token may choose from (DeepSeek-AI 2024, "DeepSeek-V2", section 2.1.3).
public struct ExpertGroups: Sendable, Hashable {
  /// The number of groups of equal size that the experts are cut into.
  public var count: Int
  /// The number of them that a token chooses from.
  public var chosen: Int
  /// The number of a group's largest scores that add up to its own: 1 in DeepSeek-V2, 2 in DeepSeek-V3.
  public var scoresPerGroup: Int
  /// The score of the experts of all other groups.
  public var maskedScore: Float

  /// - Parameters:
  ///   - count: the number of groups.
  ///   - chosen: the number of them that a token chooses from.
  public init(count: Int, chosen: Int, scoresPerGroup: Int, maskedScore: Float) {
    self.count = count
    self.chosen = chosen
    self.scoresPerGroup = scoresPerGroup
    self.maskedScore = maskedScore
  }

  /// The scores `[rows, experts]` with those of every row's other groups masked.
  public func masked(_ scores: Tensor) -> Tensor {
    let experts = scores.shape.columns
    let rows = scores.shape.rows
    let size = experts / count
    let best = largestColumns(scores.detached.reshaped(to: [rows * count, size]), scoresPerGroup)
    let values = scores.pointer
    let groupScores = Tensor(uninitialized: [rows, count])
    let sums = groupScores.mutablePointer
    for group in 0..<rows * count {
      sums[group] = (0..<scoresPerGroup).reduce(0) { $0 + values[group * size + Int(best[group * scoresPerGroup + $1])] }
    }
    let groups = largestColumns(groupScores, chosen)
    let out = Tensor(repeating: maskedScore, shape: [rows, experts])
    for row in 0..<rows {
      for group in groups[row * chosen..<(row + 1) * chosen] {
        let start = row * experts + Int(group) * size
        (out.mutablePointer + start).update(from: values + start, count: size)
      }
    }
    return out
  }
}

/// The elements of every row at given columns.
///
/// - Parameters:
///   - x: `[rows, columns]`.
///   - chosen: as many columns for every row, no column twice in one.
/// - Returns: `[rows, chosen.count / rows]`.
public func gatherColumns(_ x: Tensor, _ chosen: [Int32]) -> Tensor {
  let rows = x.shape.rows
  let columns = x.shape.columns
  let count = chosen.count / max(1, rows)
  precondition(chosen.count == rows * count && chosen.allSatisfy { (0..<Int32(columns)).contains($0) }, "columns outside \(x.shape)")
  let out = Tensor(uninitialized: [rows, count])
  let o = out.mutablePointer
  let from = x.pointer
  for row in 0..<rows {
    for place in row * count..<(row + 1) * count { o[place] = from[row * columns + Int(chosen[place])] }
  }
  let input = x.slot
  return recorded("gatherColumns", out, from: input) { gradient, tape in
    tape.accumulateZeroed(into: input) { dx in
      let dy = gradient.pointer
      for row in 0..<rows {
        for place in row * count..<(row + 1) * count { dx[row * columns + Int(chosen[place])] += dy[place] }
      }
    }
  }
}

let selectionSpecimens: [OperationSpecimen] = [
  OperationSpecimen("gatherColumns", .init("x", [3, 5])) { gatherColumns($0[0], [4, 0, 1, 2, 3, 1]) }
]
